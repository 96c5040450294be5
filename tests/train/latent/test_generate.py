"""Pictures from seeds: what is written, and what the second call does."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.imaging import codec, synthetic
from curate.train.data.transforms import to_uint8
from curate.train.latent import generate, picture_set
from curate.train.latent.generate import GenerateSettings, parse_seeds
from curate.train.latent.latent_run import LatentRun, Noise
from tests.support.latent import LAYERS, WIDTH, tiny_run

PSI = GenerateSettings(psi=0.7)


def picture(folder: Path, seed: int) -> np.ndarray:
    return codec.decode((folder / picture_set.picture_name(seed)).read_bytes())


def test_each_seed_gives_the_official_z_and_its_picture(tmp_path: Path) -> None:
    source = tiny_run(tmp_path)
    done = generate.run(source, [7, 3], tmp_path / "out", PSI)
    assert (done.made, done.kept, done.total) == (2, 0, 2)
    found = picture_set.read(tmp_path / "out")
    assert found.seeds == (3, 7)
    z = torch.from_numpy(np.random.RandomState(7).randn(1, WIDTH)).float()
    ws = source.generator.mapping(z, None, psi=0.7)
    assert found.codes().shape == (2, LAYERS, WIDTH)
    torch.testing.assert_close(found.codes()[1:], ws)
    shown = to_uint8(source.generator.synthesis(ws, "const"))[0].numpy()
    assert np.array_equal(picture(tmp_path / "out", 7), shown)
    assert synthetic.GENERATED.encode() in (tmp_path / "out" / "seed0007.png").read_bytes()


def test_more_seeds_are_added_and_nothing_is_made_twice(tmp_path: Path) -> None:
    source, out = tiny_run(tmp_path), tmp_path / "out"
    generate.run(source, [1, 2], out, PSI)
    first = {path.name: path.read_bytes() for path in out.glob("*")}
    again = generate.run(source, [1, 2], out, PSI)
    assert (again.made, again.kept) == (0, 2)
    assert {path.name: path.read_bytes() for path in out.glob("*")} == first
    more = generate.run(source, [2, 3], out, PSI)
    assert (more.made, more.kept, more.total) == (1, 1, 3)
    assert picture_set.read(out).seeds == (1, 2, 3)


def test_other_settings_and_other_networks_are_not_mixed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate.run(tiny_run(tmp_path), [1, 2], out, PSI)
    with pytest.raises(UsageError, match=r"psi 0\.7, not 1\.0"):
        generate.run(tiny_run(tmp_path), [1], out, GenerateSettings())
    with pytest.raises(UsageError, match="other networks"):
        generate.run(tiny_run(tmp_path, seed=1), [1], out, PSI)
    generate.run(tiny_run(tmp_path, seed=1), [1], out, PSI, force=True)
    assert picture_set.read(out).seeds == (1,)
    assert not (out / "seed0002.png").exists()


def test_a_strangers_picture_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "seed0001.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="no file that curate wrote"):
        generate.run(tiny_run(tmp_path), [1], out, PSI)
    assert (out / "seed0001.png").read_bytes() == b"mine"


def test_after_ctrl_c_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tiny_run(tmp_path), tmp_path / "out"
    whole = generate.run(source, range(20), tmp_path / "whole", PSI)
    real = LatentRun.pictures

    def pressed(self: LatentRun, ws: torch.Tensor, noise: str = "const") -> np.ndarray:
        os.kill(os.getpid(), signal.SIGINT)
        return real(self, ws, "const")

    monkeypatch.setattr(LatentRun, "pictures", pressed)
    with pytest.raises(InterruptionError, match="4 pictures are left"):
        generate.run(source, range(20), out, PSI)
    assert len(picture_set.read(out).seeds) == 16
    monkeypatch.setattr(LatentRun, "pictures", real)
    assert generate.run(source, range(20), out, PSI).made == 4
    assert whole.total == 20
    for path in whole.folder.glob("*"):
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_what_is_missing_is_made_in_the_company_that_it_would_have_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tiny_run(tmp_path), tmp_path / "out"
    generate.run(source, range(40), out, PSI)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "seed0005.png").unlink()
    real, made = LatentRun.pictures, []

    def counted(self: LatentRun, ws: torch.Tensor, noise: Noise = "const") -> np.ndarray:
        made.append(len(ws))
        return real(self, ws, noise)

    monkeypatch.setattr(LatentRun, "pictures", counted)
    assert generate.run(source, range(40), out, PSI).made == 1
    assert made == [16]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_classes(tmp_path: Path) -> None:
    labelled, out = tiny_run(tmp_path, classes=3), tmp_path / "out"
    generate.run(labelled, [1], out, GenerateSettings(index=2))
    for index in (None, 3):
        with pytest.raises(UsageError, match="3 classes"):
            generate.run(labelled, [2], tmp_path / "more", GenerateSettings(index=index))
    with pytest.raises(UsageError, match="without labels"):
        generate.run(tiny_run(tmp_path), [1], tmp_path / "more", GenerateSettings(index=0))


def test_seeds_as_people_write_them() -> None:
    assert parse_seeds("600-602,9") == [600, 601, 602, 9]
    for wrong in ("", "5-3", "a", "1-", "-1", str(2**32)):
        with pytest.raises(UsageError, match="--seeds"):
            parse_seeds(wrong)


def test_networks_that_translate_are_refused(tmp_path: Path) -> None:
    source = tiny_run(tmp_path)
    del source.trained.recipe.average  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="none from seeds"):
        LatentRun.of(source.trained)
