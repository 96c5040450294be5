"""Where results go: one file for each, of the kind that its name says, under a name that is nobody else's."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from curate.pipeline.core.errors import InterruptionError, UsageError
from curate.pipeline.core.outputs import name_key
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.photo import Photo
from curate.train.translate import picture_files
from curate.train.translate.results import Destination, TranslationResult, interruptible


@pytest.mark.parametrize(
    ("stems", "rgba", "each_face", "names"),
    [
        (["anna", "anna", "anna~2"], False, False, ["anna", "anna~2", "anna~2~2"]),
        (["Anna", "anna", "ANNA"], False, False, ["Anna", "anna~2", "ANNA~3"]),
        (["é", unicodedata.normalize("NFD", "é")], False, False, ["é", unicodedata.normalize("NFD", "é") + "~2"]),
        (["x", "x-paint"], True, False, ["x", "x-paint~2"]),
        (["x-paint", "x"], True, False, ["x-paint", "x~2"]),
        (["x-2", "x", "y"], False, True, ["x-2", "x~2", "y"]),
        (["x", "x-1", "x-12-paint"], True, True, ["x", "x-1~2", "x-12-paint~2"]),
        (["x", "x-1"], False, False, ["x", "x-1"]),
    ],
)
def test_no_two_results_have_a_file_in_common(
    stems: Sequence[str], rgba: bool, each_face: bool, names: Sequence[str], tmp_path: Path
) -> None:
    place = Destination(tmp_path / "out", len(stems), rgba=rgba, each_face=each_face)
    given = [place.name(stem) for stem in stems]
    assert given == names
    endings = ["", *(f"-{n}" for n in range(1, 13) if each_face)]
    files = [f"{name}{end}{more}" for name in given for end in endings for more in ("", *["-paint"] * rgba)]
    assert len({name_key(Path(file)) for file in files}) == len(files)


def test_a_reserved_name_and_a_long_one(tmp_path: Path) -> None:
    place = Destination(tmp_path, 3)
    place.reserve("grid")
    assert place.name("Grid") == "Grid~2"
    long = place.name("髪" * 100)
    assert len(place.target(f"{long}-paint").name.encode()) < 220
    assert place.name("髪" * 101) != long


@pytest.mark.parametrize("name", ["me.jpg", "me.JPEG", "me.webp", "me.png"])
def test_a_picture_is_what_its_name_says_in_high_quality_with_its_profile(name: str, tmp_path: Path) -> None:
    assert Destination(tmp_path / name, 1).target("me") == tmp_path / name
    ramps = np.add.outer(np.arange(72) * 2, np.arange(96))
    rgb = np.stack([ramps, 255 - ramps, ramps[::-1]], 2).astype(np.uint8)
    data = picture_files.encode(Photo.of(rgb), Path(name).suffix)
    assert data == picture_files.encode(Photo.of(rgb), Path(name).suffix)
    (tmp_path / name).write_bytes(data)
    with Image.open(tmp_path / name) as image:
        assert image.format == {".png": "PNG", ".webp": "WEBP"}.get(Path(name).suffix, "JPEG")
        profile = ImageCms.getOpenProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    error = np.abs(codec.decode(data).astype(int) - rgb)
    assert error.mean() < 3 and (error.max() == 0 or "j" in Path(name).suffix.lower())


@pytest.mark.parametrize("name", ["x.tiff", "x.HEIC", "x.jxl", "x.pdf"])
def test_other_kinds_of_pictures_are_refused_with_those_that_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not written as") as told:
        Destination(tmp_path / name, 1)
    assert ".jpg" in told.value.hint
    (tmp_path / name).mkdir()
    assert Destination(tmp_path / name, 2).folder == tmp_path / name, "a folder that is there is one"


def test_a_side_that_a_format_can_not_say(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="16,383"):
        picture_files.encode(Photo.of(np.zeros((1, 16_384, 3), np.uint8)), ".webp")


def test_files_that_faces_may_take_are_looked_at_before(tmp_path: Path) -> None:
    for name in ("anna-2.png", "anna-x.png", "ben-1.png"):
        (tmp_path / name).write_text("somebody's")
    place = Destination(tmp_path, 1, each_face=True)
    place.name("anna")
    with pytest.raises(UsageError, match=r"anna-2\.png: is there already, and no file that curate wrote\n"):
        place.plan([])


def test_ctrl_c_says_how_far_it_came() -> None:
    results = [TranslationResult("a", "out/a.png", "ok"), TranslationResult("b", None, "no_face")]
    with (
        pytest.raises(InterruptionError, match="1 pictures are written, of 9 inputs") as told,
        interruptible(results, 9),
    ):
        raise KeyboardInterrupt
    assert told.value.code == 130
    assert "the same command goes on" in told.value.hint
