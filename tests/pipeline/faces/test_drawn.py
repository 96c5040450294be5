"""Drawn faces: the square by eyes and chin, colours, parts that are moved, and the library that finds them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.errors import DetectorLostError, ModelError, UsageError
from curate.pipeline.core.helper_process import HelperProcess
from curate.pipeline.faces import drawn, model_files
from curate.pipeline.faces.alignment import Aligner, alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import rounded
from curate.pipeline.faces.detectors import Face, Parts, animeface
from curate.pipeline.imaging import codec, geometry
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

PARTS = Parts(Box(30, 50, 20, 16), Box(70, 50, 20, 16), Box(50, 85, 20, 8), (59.5, 75.0), (59.5, 107.5))
DATA = os.environ.get("CURATE_DATA")


def eyes(parts: Parts) -> NDArray[np.float64]:
    return np.array([parts.left_eye.centre, parts.right_eye.centre])


def test_eyes_come_to_one_place_whatever_the_size_and_the_lean_of_the_face() -> None:
    expected = geometry.apply(geometry.quad_affine(drawn.quad(PARTS), 256), eyes(PARTS))
    assert expected[:, 1] == pytest.approx([117.3, 117.3], abs=0.1)
    assert expected.mean(axis=0)[0] == pytest.approx(127.5)
    assert expected[1, 0] - expected[0, 0] == pytest.approx(256 * 40 / (45 * 2.5 * 1.5))  # eyes 40 apart, chin 50 below
    turn = np.array(cv2.getRotationMatrix2D((300, 200), 33, 1.0))
    for there in (PARTS.scaled(3.7), PARTS.moved(lambda x, y: tuple(geometry.apply(turn, [(x, y)])[0].tolist()))):
        affine = geometry.quad_affine(drawn.quad(there), 256)
        np.testing.assert_allclose(geometry.apply(affine, eyes(there)), expected, atol=1e-6)


def test_margin_adds_and_rotate_turns_the_content_counter_clockwise_about_the_middle() -> None:
    assert geometry.quad_side(drawn.quad(PARTS, margin=0.0)) == pytest.approx(2.5 * 45)
    assert geometry.quad_side(drawn.quad(PARTS, margin=0.5)) == pytest.approx(5 * 45)
    quad = drawn.quad(PARTS, rotate=45)
    np.testing.assert_allclose(quad.mean(axis=0), drawn.quad(PARTS).mean(axis=0))
    left, right = geometry.apply(geometry.quad_affine(quad, 256), eyes(PARTS))
    assert np.degrees(np.arctan2(left[1] - right[1], right[0] - left[0])) == pytest.approx(45)


def test_a_mirror_changes_left_and_right() -> None:
    face = Face(Box(20, 20, 80, 90), 1.0, parts=PARTS)
    there = face.mirrored(200)
    assert there.box == Box(100, 20, 80, 90)
    assert there.parts is not None and there.parts.left_eye == Box(110, 50, 20, 16)
    assert there.mirrored(200) == face
    assert rounded(face).parts == PARTS


def character(hair: str, iris: str | None, skin: str) -> NDArray[np.uint8]:
    image = np.full((140, 120, 3), 255, np.uint8)

    def fill(text: str, x: int, y: int, width: int, height: int) -> None:
        image[y : y + height, x : x + width] = list(bytes.fromhex(text[1:]))

    fill(hair, 10, 0, 100, 44)
    fill(skin, 25, 44, 70, 65)
    for eye in (PARTS.left_eye, PARTS.right_eye):
        x, y, width, height = (int(value) for value in eye)
        if iris:
            fill("#ffffff", x, y, width, height)
            fill(iris, x + 4, y + 1, width - 8, height - 2)
        fill("#000000", x, y, width, 2)
    return image


@pytest.mark.parametrize("hair, iris, skin", [("#4060c0", "#20a040", "#f8e0d0"), ("#e0c060", "#a02020", "#c08860")])
def test_colours_are_those_that_it_was_drawn_with(hair: str, iris: str, skin: str) -> None:
    image = character(hair, iris, skin)
    assert drawn.colours(image, PARTS) == {"hair_colour": hair, "eye_colour": iris, "skin_colour": skin}
    large = np.repeat(np.repeat(image, 4, axis=0), 4, axis=1)
    assert drawn.colours(large, PARTS.scaled(4)) == drawn.colours(image, PARTS)


def test_closed_eyes_and_faces_beyond_the_picture_have_no_colour() -> None:
    assert "eye_colour" not in drawn.colours(character("#4060c0", None, "#f8e0d0"), PARTS)
    assert drawn.colours(character("#4060c0", "#20a040", "#f8e0d0"), PARTS.moved(lambda x, y: (x + 900, y))) == {}


def test_only_a_detector_that_sees_parts_aligns_by_them() -> None:
    assert alignment(CropRules(detector="animeface")) == alignment(CropRules(detector="anime+animeface")) == "anime"
    assert alignment(CropRules(detector="animeface", align="box")) == alignment(CropRules(detector="anime")) == "box"
    with pytest.raises(UsageError, match="align: anime"):
        alignment(CropRules(detector="haar", align="anime"))


def test_a_machine_without_a_build_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(model_files, "ANIMEFACE", None)
    with pytest.raises(ModelError, match="Linux on x86-64 and Mac on arm64"):
        animeface.load(CropRules(detector="animeface"))
    with pytest.raises(ModelError, match="does not run"):
        animeface._helper(str(tmp_path / "none.so"))


@pytest.fixture(scope="module")
def helper() -> Iterator[HelperProcess]:
    try:
        yield animeface._helper(str(animeface._library()))
    except ModelError as error:
        pytest.skip(error.message)


@pytest.mark.skipif(not DATA, reason="CURATE_DATA is not set")
def test_drawings_are_found_and_garments_are_not(helper: HelperProcess) -> None:
    pictures = sorted(Path(DATA or "").glob("anime_renpy/*.png"))[::3]
    find = Aligner(CropRules(detector="animeface"))
    for path in pictures:
        (cut,) = find(codec.decode(path.read_bytes()))
        assert cut.reason == "ok" and cut.landmarks is None and cut.colours
        assert cut.detected is not None and cut.detected.face.parts is not None
        there = geometry.apply(cut.affine, eyes(cut.detected.face.parts))
        assert abs(there - [[94, 117], [161, 117]]).max() < 6
    for path in sorted(Path(DATA or "").glob("clothing_cc0/dress/*.jpg"))[:5]:
        assert find(codec.decode(path.read_bytes())) == []


def test_a_head_that_leans_is_cut_upright_whatever_pass_found_it(helper: HelperProcess) -> None:
    photo = np.full((480, 480, 3), 255, np.uint8)
    photo[80:400, 80:400] = drawn_people.drawing(3)
    (plain,) = Aligner(CropRules(detector="animeface"))(photo)
    turn = np.array(cv2.getRotationMatrix2D((240, 240), -40, 1.0))
    leaning = np.asarray(cv2.warpAffine(photo, turn, (480, 480), borderValue=(255, 255, 255)), np.uint8)
    (turned,) = Aligner(CropRules(detector="animeface", rotations=(40,), closer_look=False))(leaning)
    assert turned.detected is not None and turned.detected.face.angle == 40
    difference = np.abs(turned.image[40:216, 40:216].astype(int) - plain.image[40:216, 40:216])
    assert difference.mean() < 20


def test_a_library_that_dies_or_hangs_costs_one_picture(helper: HelperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    find, blank = animeface.load(CropRules(detector="animeface")), np.zeros((90, 90, 3), np.uint8)
    assert find(blank) == [] and helper.process is not None
    os.kill(helper.process.pid, signal.SIGSTOP)
    threading.Timer(0.2, helper.process.kill).start()
    with pytest.raises(DetectorLostError, match="it died"):
        find(blank)
    assert find(blank) == [] and helper.process is not None
    os.kill(helper.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(animeface, "LONGEST", 0.2)
    with pytest.raises(DetectorLostError, match="no answer"):
        find(blank)
