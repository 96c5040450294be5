"""From a trained StyleGAN2 to an edited photo, as a person types it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from curate import load
from curate.__main__ import main
from curate.pipeline.core.config import Params
from curate.pipeline.imaging import codec
from curate.train.latent import check_direction
from curate.train.latent.check_direction import Checked
from curate.train.runs.config import read
from curate.train.trainer.run import run
from tests.support.drawn_people import photo
from tests.support.training import dataset

MODEL = {"z_dim": 8, "w_dim": 8, "mapping_layers": 1, "channel_base": 64, "channel_max": 4, "group_size": 2}
RUN = {"steps": 2, "batch": 2, "samples": 0, "tick": 1, "checkpoint_every": 1, "measure_every": 0, "device": "cpu"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run of stylegan2 that has hardly trained, and a photo."""
    root = tmp_path_factory.mktemp("root")
    dataset(root)
    section = {"data": {"size": 16, "domains": {"a": "long"}}, "model": MODEL, "run": {**RUN, "features": "standin"}}
    run(read(Params({"train": {"stylegan2": section}}, None), "stylegan2", {}), root, root / "processed/runs/stylegan2")
    (root / "me.png").write_bytes(codec.encode_png(photo(0)))
    return root


@pytest.fixture
def curate(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Calls a command in the root: its exit code, and what it said to both."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, "argv", ["curate", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return call


def test_a_run_goes_out_with_generator_and_average(root: Path, curate) -> None:  # type: ignore[no-untyped-def]
    assert curate("weights", "export", "processed/runs/stylegan2", "-o", "out")[0] == 0
    made = torch.load(root / "out" / "network.pt", weights_only=True)
    recipe: Any = load(root / "processed/runs/stylegan2").recipe
    for name, network in (("G", recipe.generator), ("G_ema", recipe.average.network), ("D", recipe.discriminator)):
        assert all(torch.equal(made[name][key], value) for key, value in network.state_dict().items())
    assert any(not torch.equal(made["G"][key], value) for key, value in made["G_ema"].items())


def test_all_the_way(root: Path, curate) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = curate("generate", "processed/runs/stylegan2", "--seeds", "0-39", "--psi", "0.7")
    assert (code, len(list((root / "generated").glob("seed*.png")))) == (0, 40), out
    assert "next: curate label generated" in out
    (root / "mine.csv").write_text("seed,glad\n" + "".join(f"{seed},{seed % 2 == 0}\n" for seed in range(40)))
    code, out, _ = curate("label", "generated", "--by", "mine.csv")
    assert (code, "glad: 20" in out) == (0, True)
    code, out, _ = curate("direction", "generated", "--label", "glad", "--name", "smile", "--json")
    assert code == 0
    assert json.loads(out)["directions"][0]["positive"] == 20
    assert curate("direction", "generated", "--method", "sefa", "--count", "2", "--orthogonal-to", "smile")[0] == 0
    assert {path.stem for path in (root / "directions").glob("*.json")} == {"smile", "sefa1", "sefa2"}
    project = "project me.png --steps 3 --distance pixels --no-align --device cpu".split()
    code, out, err = curate(*project)
    assert (code, "curate edit projected/me.safetensors --direction smile" in out) == (0, True), err
    code, out, err = curate("edit", "projected/me.safetensors", "--amount", "-1..1", "--steps", "2", "--photo")
    assert (code, "edited/me-smile.png" in out) == (0, True), err
    whole = codec.decode((root / "edited/me-smile+1.png").read_bytes())
    assert whole.shape == photo(0).shape
    for lost, following in (
        ("directions/smile.safetensors", "curate edit projected/me.safetensors --direction sefa1"),
        ("directions/sefa?.safetensors", "curate label generated --by smile"),
        ("generated/manifest.parquet", "curate generate processed/runs/stylegan2 --seeds"),
    ):
        for path in root.glob(lost):
            path.unlink()
        assert f"next: {following}" in curate(*project)[1]


def test_a_direction_is_tried_as_near_to_the_mean_as_is_asked(
    root: Path,
    curate,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert curate("generate", "processed/runs/stylegan2", "--seeds", "0-39", "--psi", "0.7", "-o", "few")[0] == 0
    tried: list[tuple[list[int], float]] = []

    def run(source: object, direction: object, seeds: range, psi: float, *_: object, **__: object) -> Checked:
        tried.append((list(seeds), psi))
        return Checked("pca1", "smile", len(seeds), 2, 1.0, 1.0, None, (0.0, 1.0), "plot.png")

    monkeypatch.setattr(check_direction, "run", run)
    for more in ([], ["--psi", "0.5"]):
        words = ["direction", "few", "--method", "pca", "--count", "1", "--check", "2", "-o", "tried", "--force", *more]
        assert curate(*words)[0] == 0
    assert tried == [([40, 41], 0.7), ([40, 41], 0.5)]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["generate", "nowhere"], "nowhere"),
        (["generate", "processed/runs/stylegan2", "--seeds", "9-1"], "from 9 to 1"),
        (["generate", "processed/runs/stylegan2", "--noise", "loud"], "there are const, none, random"),
        (["label", "nowhere"], "nowhere/manifest.parquet is not there"),
        (["label", "nowhere", "--by", "x.csv", "--threshold", "1"], "--threshold without --by smile"),
        (["direction", "nowhere", "--method", "lda"], "there are mean, svm, pca, sefa"),
        (["direction", "nowhere", "--method", "pca", "--label", "smile"], "takes no --label"),
        (["project", "me.png", "--run", "nowhere"], "nowhere"),
        (["edit", "me.png", "--direction", "none"], "no direction of that name"),
        (["edit", "me.png", "--amount", "much"], "no number and no range"),
    ],
)
def test_what_is_wrong_is_said_in_words(curate, words: list[str], why: str) -> None:  # type: ignore[no-untyped-def]
    code, _, err = curate(*words)
    assert (code, why in err) == (2, True), err
