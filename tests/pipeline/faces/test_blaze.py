"""BlazeFace: what the net is shown of a picture, and where its answers are in raw px."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import blaze, ensemble
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people


class RedFace:
    """Stands in for the net: a face is what is pure red, in one piece, and it answers at the nearest anchor."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        assert blob.shape == (1, 3, 256, 256) and blob.min() >= -1 and blob.max() <= 1
        self.looks += 1
        logits, places = np.full((1, 896, 1), -9.0, np.float32), np.zeros((1, 896, 16), np.float32)
        y, x = np.nonzero((blob[0, 0] > 0.6) & (blob[0, 2] < -0.6))
        if len(x):
            low, high = np.array([x.min(), y.min()]), np.array([x.max(), y.max()]) + 1
            if (high - low).min() >= 16:  # what is smaller it does not see
                grow = np.where((low == 0) | (high == 256), 6, 0)  # of a face that is cut off it guesses the rest
                middle, extent = (low + high) / 2, high - low + 2 * grow
                at = int(np.argmin(np.hypot(*(blaze._ANCHORS - middle).T)))
                places[0, at, :4] = [*(middle - blaze._ANCHORS[at]), *extent]
                logits[0, at] = 3.0
        return [places, logits]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> RedFace:
    red = RedFace()
    eye = blaze._Eye(red)
    monkeypatch.setattr(blaze, "_eye", lambda: eye)
    return red


def picture(width: int, height: int, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    image = np.full((height, width, 3), 90, np.uint8)
    x, y, w, h = box
    image[y : y + h, x : x + w] = (255, 0, 0)
    return image


def test_anchors_are_the_middles_of_cells() -> None:
    assert blaze._ANCHORS.shape == (896, 2)
    assert blaze._ANCHORS[:3].tolist() == [[8, 8], [8, 8], [24, 8]]
    assert blaze._ANCHORS[512].tolist() == [16, 16] and blaze._ANCHORS[-1].tolist() == [240, 240]


@pytest.mark.parametrize("size", [(200, 250), (640, 480), (90, 60), (1500, 400)])
def test_boxes_come_back_in_raw_px(net: RedFace, size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 3, height // 4, height // 2, height // 2)
    (face,) = blaze.load(CropRules())(picture(*size, box))
    assert face.score == pytest.approx(1 / (1 + np.exp(-3)))
    np.testing.assert_allclose(face.box, box, atol=2.5 * max(size) / 256)


def test_small_faces_are_looked_for_in_parts_and_found_once(net: RedFace) -> None:
    for left in range(20, 420, 40):  # across the borders of parts
        found = blaze.load(CropRules(min_face=20))(picture(480, 360, (left, 150, 24, 24)))
        assert len(found) == 1, left
        np.testing.assert_allclose(found[0].box, (left, 150, 24, 24), atol=3)


def test_it_looks_no_closer_than_is_asked_for(net: RedFace) -> None:
    empty = picture(480, 360, (0, 0, 0, 0))
    assert blaze.load(CropRules(min_face=90))(empty) == [] and net.looks == 1
    blaze.load(CropRules(min_face=10, min_share=0.0))(empty)
    parts = net.looks - 1
    assert parts == 3 * 2
    net.looks = 0
    blaze.load(CropRules(min_face=90, detect_side=240))(np.array(empty))
    assert net.looks == 1


def test_one_photo_is_shown_whole_once(net: RedFace) -> None:
    photo, other = picture(300, 300, (90, 90, 80, 80)), picture(300, 300, (20, 20, 60, 60))
    far, near = blaze.load(CropRules(detect_side=240)), blaze.load(CropRules(detect_side=480))
    assert far(photo) == near(photo) and net.looks == 1
    assert near(other) != near(photo)


def test_overlapping_boxes_are_one_face() -> None:
    boxes = [Box(0, 0, 50, 50), Box(5, 5, 50, 50), Box(100, 0, 40, 40)]
    found = [blaze.Face(box, score) for box, score in zip(boxes, (0.6, 0.9, 0.7), strict=True)]
    assert [face.score for face in blaze._strongest(found)] == [0.9, 0.7]


def test_drawn_people_are_found_where_they_are(model_file: Callable[[str], Path]) -> None:
    model_file("blaze")
    find = ensemble.load(CropRules(detector="blaze"))
    for seed in range(6):
        truth = Box(*drawn_people.person(seed).places().face)
        assert any(geometry.overlap(face.box, truth) > 0.3 for face in find(drawn_people.photo(seed)))
    both: Any = ensemble.load(CropRules(detector="haar+blaze"))(drawn_people.photo(3))[0]
    assert both.agreement > 0.3
