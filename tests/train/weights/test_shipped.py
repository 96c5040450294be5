"""Networks that are handed on in one small file, and those that come with curate."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import UsageError
from curate.train.engine import safetensors_file
from curate.train.latent import latent_run
from curate.train.latent.face_measures import FaceMeasures
from curate.train.runs.trained import load_run
from curate.train.trainer.run import run
from curate.train.weights import exchange, saved
from curate.train.weights.shipped import SHIPPED, located
from tests.support import ROOT
from tests.support.training import dataset, tiny


def test_a_run_handed_on_in_16_bits_translates_as_it_did_and_knows_how_its_photos_were_cut(tmp_path: Path) -> None:
    dataset(tmp_path)
    run(tiny(run__steps=2, run__samples=0, model__ema=0.5), tmp_path, tmp_path / "run")
    whole = exchange.read(tmp_path / "run")
    small = saved.save(saved.without_discriminators(whole), tmp_path / "small.safetensors", half=True)
    large = saved.save(whole, tmp_path / "large.safetensors")
    assert small.stat().st_size < large.stat().st_size
    assert not any(role.startswith("average") for role in saved.without_discriminators(whole).networks)
    before, (after, notes) = load_run(tmp_path / "run", "cpu"), exchange.load([small], device="cpu")
    assert notes == ()
    assert (after.domains, after.rules, after.step) == (before.domains, before.rules, before.step)
    assert after.directions == before.directions == ("a2b", "b2a")
    photo = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, 32, 32)).astype(np.float32))
    batch = {key: photo if key in "ab" else torch.ones(1, 1, 32, 32) for key in before.keys}
    for direction in ("a2b", "b2a"):
        one, other = (networks.recipe.render(batch)[direction] for networks in (before, after))
        assert 0 < (one - other).abs().max() < 0.02, "rounded, and to nothing that an eye would see"
    told, tensors = safetensors_file.read(large)
    other = {key: text.replace('"domains"', '"damains"') for key, text in told.items()}
    assert other != told
    safetensors_file.write(tmp_path / "other.safetensors", tensors, other)
    with pytest.raises(UsageError, match="broken: its header is not one of ours"):
        exchange.load([tmp_path / "other.safetensors"], device="cpu")


def test_a_bare_name_is_that_of_what_comes_with_curate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="did you mean 'drawn-hair'"):
        located([Path("drawn-hiar")])
    assert located([Path("none.pth"), Path("some/drawn-hair")]) == [Path("none.pth"), Path("some/drawn-hair")]
    assert [path.suffix for path in located(map(Path, SHIPPED))] == [".safetensors"] * len(SHIPPED)
    (tmp_path / "drawn-hair").mkdir()
    assert located([Path("drawn-hair")]) == [Path("drawn-hair")], "one's own goes first"


DOMAINS = {
    "drawn-hair": {"a": "long", "b": "short"},
    "drawn-icon": {"a": "anime", "b": "icons"},
    "drawn-portrait": {"a": "portrait"},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_what_comes_with_curate_is_what_its_page_says_and_goes_every_way(name: str) -> None:
    (path,) = located([Path(name)])
    assert path.stat().st_size < 2_000_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() in (ROOT / "docs/internals/shipped.md").read_text("utf-8")
    networks, _ = exchange.load([Path(name)], device="cpu")
    assert networks.directions == (("a2b", "b2a") if "b" in DOMAINS[name] else ())
    assert networks.domains == DOMAINS[name]


def test_the_portraits_that_come_with_curate_are_faces() -> None:
    run = latent_run.load(Path("drawn-portrait"), "cpu")
    measures = FaceMeasures()
    smiles = [measures(picture).get("smile") for picture in run.pictures(run.codes([0, 1, 2, 3, 4, 5]))]
    known = [smile for smile in smiles if smile is not None]
    assert len(known) == len(smiles)
    assert max(known) - min(known) > 0.1, "some of them smile"
