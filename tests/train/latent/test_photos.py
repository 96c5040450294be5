"""Photos projected and edited: what is written, what a second call does, what goes back into the photo."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from curate.pipeline.core import scraps
from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec
from curate.train.latent import code_files, edit, project
from curate.train.latent.direction_files import Direction
from curate.train.latent.edit import EditSettings, parse_amounts
from curate.train.latent.latent_run import LatentRun
from curate.train.latent.perceptual import Perceptual, pyramid
from curate.train.latent.projection import ProjectionSettings
from curate.train.latent.tuning import TuneSettings
from tests.support.drawn_people import landscape, photo
from tests.support.latent import SIDE, WIDTH, style_run

PIXELS = Perceptual("pixels", pyramid)
SHORT = ProjectionSettings(steps=5)
ALIGNED = CropRules(align="ffhq", size=32)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (0, 1):
        (folder / f"me{seed}.png").write_bytes(codec.encode_png(photo(seed)))
    return folder


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What faces are measured by is tested elsewhere."""
    monkeypatch.setattr(edit, "FaceMeasures", Measured)


class Measured:
    def __call__(self, picture: codec.RGB) -> dict[str, float]:
        return {"smile": 1.0}

    def identity(self, picture: codec.RGB) -> np.ndarray:
        return np.ones(4) / 2

    def with_identity(self, picture: codec.RGB) -> tuple[dict[str, float], np.ndarray]:
        return self(picture), self.identity(picture)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def smile(width: int = WIDTH, last: int = 5) -> Direction:
    vector = np.zeros(width)
    vector[0] = 1.0
    return Direction("smile", vector, 0.5, (0, last), {"label": "smile"})


def test_faces_are_cut_projected_and_kept(tmp_path: Path, photos: Path) -> None:
    source, out = style_run(tmp_path, ALIGNED), tmp_path / "out"
    (photos / "nobody.png").write_bytes(codec.encode_png(landscape(0)))
    first = project.run(source, [photos], out, SHORT, PIXELS)
    assert [result.reason for result in first] == ["ok", "ok", "no_face"]
    assert names(out) == {f"me{n}{ending}" for n in (0, 1) for ending in (".safetensors", ".png", ".gif", ".json")}
    codes = code_files.read(out / "me1.safetensors")
    assert codes.ws.shape == (1, source.generator.num_ws, WIDTH)
    assert codes.about["net"] == "pixels"
    shown = source.generator
    made = project._shown(shown, codes.ws, codes.noise)
    again = codec.decode((out / "me1.png").read_bytes())
    assert np.array_equal(project.to_uint8(made)[0].numpy(), again)
    with Image.open(out / "me1.gif") as film:
        assert film.n_frames == 6
    before = {name: (out / name).read_bytes() for name in names(out)}
    scrap = out / f".me0.gif.curate-{scraps.machine()}-1-1.tmp"  # a killed command's
    scrap.write_bytes(b"half")
    second = project.run(source, [photos], out, SHORT, PIXELS)
    assert [result.kept for result in second] == [True, True, False]
    assert not scrap.exists()
    assert {name: (out / name).read_bytes() for name in names(out)} == before
    (photos / "me0.png").write_bytes(codec.encode_png(photo(3)))  # another photo of that name
    assert [result.kept for result in project.run(source, [photos], out, SHORT, PIXELS)] == [False, True, False]
    other = project.run(source, [photos], out, ProjectionSettings(steps=6), PIXELS)
    assert [result.kept for result in other] == [False, False, False]


def test_after_ctrl_c_the_rest_is_done(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out, real, calls = style_run(tmp_path), tmp_path / "out", project.project, [0]

    def interrupted(*given: object) -> object:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(project, "project", interrupted)
    with pytest.raises(InterruptionError, match="1 photos are left"):
        project.run(source, [photos], out, SHORT, PIXELS, batch=1)
    assert [one.kept for one in project.run(source, [photos], out, SHORT, PIXELS, batch=1)] == [True, False]


def test_at_ctrl_c_the_photos_that_are_begun_are_finished(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, real = style_run(tmp_path), tmp_path / "out", project.project

    def pressed(*given: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(project, "project", pressed)
    with pytest.raises(InterruptionError, match="1 photos are left"):
        project.run(source, [photos], out, SHORT, PIXELS, batch=1)
    monkeypatch.setattr(project, "project", real)
    assert [one.kept for one in project.run(source, [photos], out, SHORT, PIXELS, batch=1)] == [True, False]


def test_a_tuned_picture_is_edited_with_its_own_generator_and_laid_over_the_photo(tmp_path: Path, photos: Path) -> None:
    source, out = style_run(tmp_path, ALIGNED), tmp_path / "out"
    (result,) = project.run(source, [photos / "me0.png"], out, SHORT, PIXELS, TuneSettings(4, 0.0))
    assert result.tuned_psnr is not None and result.psnr is not None and result.tuned_psnr > result.psnr
    where = out / "me0.safetensors"
    codes = code_files.read(where)
    made = edit.run(source, codes, where, smile(), EditSettings((-1.0, 0.0, 1.0)), tmp_path / "edited")
    assert np.array_equal(
        codec.decode((tmp_path / "edited/me0-smile+0.png").read_bytes()), codec.decode((out / "me0.png").read_bytes())
    )
    assert [one.amount for one in made.pictures] == [-1, 0, 1]
    strip = codec.decode(Path(made.strip).read_bytes())
    assert strip.shape[0] == 256 + 58 and strip.shape[1] > 3 * 256
    assert json.loads((tmp_path / "edited/me0-smile.json").read_text())["measure"] == "smile"
    edit.run(source, codes, where, smile(), EditSettings((2.0,), photo=True), tmp_path / "whole")
    whole, before = codec.decode((tmp_path / "whole/me0-smile+2.png").read_bytes()), photo(0)
    assert whole.shape == before.shape
    assert np.array_equal(whole[:, :5], before[:, :5])
    assert not np.array_equal(whole[130:170, 130:170], before[130:170, 130:170])
    (out / "me0-generator.safetensors").unlink()
    with pytest.raises(UsageError, match="me0-generator"):
        edit.run(source, codes, where, smile(), EditSettings((1.0,)), tmp_path / "edited")


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    source, where = style_run(tmp_path), tmp_path / "w.npz"
    layers = source.generator.num_ws
    np.savez(where, w=np.zeros((1, layers, WIDTH), np.float32))
    codes = code_files.read(where)
    for direction, why in ((smile(WIDTH + 1), "for w's of 9 numbers"), (smile(last=layers), "layers up to 6")):
        with pytest.raises(UsageError, match=why):
            edit.run(source, codes, where, direction, EditSettings((1.0,)), tmp_path / "edited")
    with pytest.raises(UsageError, match="comes from no photo"):
        edit.run(source, codes, where, smile(), EditSettings((1.0,), photo=True), tmp_path / "edited")
    np.savez(where, w=np.zeros((1, 18, 512), np.float32))
    with pytest.raises(UsageError, match="18 layers of 512"):
        edit.run(source, code_files.read(where), where, smile(), EditSettings((1.0,)), tmp_path / "edited")
    np.savez(where, w=np.zeros((2, 18, 512), np.float32))
    with pytest.raises(UsageError, match=r"\[2, 18, 512\]"):
        code_files.read(where)
    where.write_bytes(b"PK not really")
    with pytest.raises(UsageError, match="broken"):
        code_files.read(where)
    np.savez(where, w=np.array([{"a": 1}], object))  # a pickle inside
    with pytest.raises(UsageError, match="broken"):
        code_files.read(where)
    with pytest.raises(UsageError, match="becomes several files"):
        project.run(source, [], tmp_path / "me.png", SHORT, PIXELS)


def test_a_generated_picture_is_a_w_too(tmp_path: Path) -> None:
    from curate.train.latent import generate

    source = style_run(tmp_path)
    generate.run(source, [4, 5], tmp_path / "made", generate.GenerateSettings())
    codes = code_files.read(tmp_path / "made" / "seed0005.png")
    torch.testing.assert_close(codes.ws, source.codes([5]))
    result = edit.run(source, codes, tmp_path / "made/seed0005.png", smile(), EditSettings((0.0,)), tmp_path / "edited")
    assert codec.decode(Path(result.pictures[0].output).read_bytes()).shape == (SIDE, SIDE, 3)
    (tmp_path / "other.png").write_bytes(b"")
    with pytest.raises(UsageError, match="no picture of curate generate"):
        code_files.read(tmp_path / "other.png")


def test_amounts_as_people_write_them() -> None:
    assert parse_amounts("-3..3") == (-3, -2, -1, 0, 1, 2, 3)
    assert parse_amounts("0..1", 3) == (0, 0.5, 1)
    assert parse_amounts("2") == (2,)
    assert parse_amounts("1,-1,0") == (-1, 0, 1)
    for wrong in ("x", "3..-3", "1..", "nan", "99", ""):
        with pytest.raises(UsageError, match="--amount"):
            parse_amounts(wrong)


def test_only_a_generator_is_taken(tmp_path: Path) -> None:
    source = style_run(tmp_path)
    source.trained.recipe.average = None  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="none from seeds"):
        LatentRun.of(source.trained)
