"""The looks at a photo: which there are, what ends them, and what becomes of a face that several of them see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face, ensemble
from curate.pipeline.faces.face_search import FaceSearch, looks
from curate.pipeline.faces.ffhq import eyes
from curate.pipeline.faces.landmarkers import Landmarks
from curate.pipeline.faces.plausibility import MEAN
from curate.pipeline.imaging.geometry import Box

BLANK = np.zeros((1000, 1000, 3), np.uint8)
REAL, FALSE = (400, 300, 100, 100), (10, 10, 200, 200)  # x, y, width, height: what looks like a face, and what not
Boxes = list[tuple[int, int, int, int]]


def landmarker(image: NDArray[np.uint8], box: Box, angle: float) -> Landmarks:
    """A mean face in the box; restless where FALSE is."""
    points = MEAN * box.side * 0.35 + box.centre + (0, -0.1 * box.side)
    assert eyes(points) is not None
    return Landmarks(points, 0.2 if box.x < 100 else 0.01)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Boxes, list[int]]]:
    """What a search finds and at which sides it looked, where each side shows some boxes."""

    def run(by_side: dict[int, Boxes], divisor: int = 1, **rules: Any) -> tuple[Boxes, list[int]]:
        looked: list[int] = []

        def load(own: CropRules) -> Detector:
            def detect(image: NDArray[np.uint8]) -> list[Face]:
                looked.append(own.detect_side)
                return [Face(Box(*map(float, box)), 1.0) for box in by_side.get(own.detect_side, [])]

            return detect

        monkeypatch.setattr(ensemble, "load", load)
        found = FaceSearch(CropRules(detect_side=400, **rules), landmarker)(lambda side: (BLANK, divisor))
        return [tuple(map(int, one.face.face.box)) for one in found], looked

    return run


def test_who_wants_the_largest_face_looks_from_afar_first_and_may_stop_there(shown: Any) -> None:
    assert shown({200: [REAL]}) == ([REAL], [200])
    assert shown({400: [REAL]}) == ([REAL], [200, 400])


def test_a_false_sighting_from_afar_does_not_end_the_search(shown: Any) -> None:
    assert shown({200: [FALSE], 400: [REAL]}) == ([FALSE, REAL], [200, 400])


def test_a_small_face_from_afar_does_not_hide_a_large_one_from_near(shown: Any) -> None:
    small = (400, 300, 60, 60)
    assert shown({200: [small], 400: [small, (700, 300, 120, 120)]}, min_face=90)[0] == [small, (700, 300, 120, 120)]


@pytest.mark.parametrize("faces", ["all", "single"])
def test_who_wants_all_faces_looks_from_afar_and_from_near(shown: Any, faces: str) -> None:
    far, near = (300, 300, 400, 400), (800, 0, 50, 50)
    assert shown({200: [far], 400: [near]}, faces=faces) == ([far, near], [400, 200])


@pytest.mark.parametrize("faces", ["largest", "all"])
def test_whoever_sees_a_face_the_photo_has_it(shown: Any, faces: str) -> None:
    """All finds what largest finds, and the other way round."""
    for side in (200, 400, 800):
        assert REAL in shown({side: [REAL], 200: [FALSE, *([REAL] if side == 200 else [])]}, faces=faces)[0]


def test_a_face_seen_twice_is_one_and_the_plausible_sighting_of_it(shown: Any) -> None:
    assert shown({400: [(400, 300, 100, 100)], 200: [(405, 305, 110, 110)]}, faces="all")[0] == [REAL]
    restless, calm = (95, 300, 100, 100), (101, 300, 100, 100)
    assert shown({400: [restless], 200: [calm]}, faces="all")[0] == [calm]


def test_where_nobody_is_seen_the_photo_is_looked_at_closer(shown: Any) -> None:
    tiny = (500, 500, 20, 20)
    assert shown({800: [tiny]}) == ([tiny], [200, 400, 800])
    assert shown({800: [tiny]}, closer_look=False) == ([], [200, 400])
    assert shown({400: [tiny], 800: [REAL]})[0] == [tiny], "a small face is one, too"


def test_what_only_the_closer_look_shows_must_look_like_a_face(shown: Any) -> None:
    assert shown({800: [FALSE]})[0] == []
    assert shown({400: [FALSE], 800: [FALSE, REAL]})[0] == [FALSE, REAL]


def test_a_preview_gives_boxes_in_raw_px(shown: Any) -> None:
    assert shown({200: [REAL]}, divisor=4, min_face=400) == ([(1600, 1200, 400, 400)], [200])
    assert shown({200: [REAL]}, divisor=4, min_face=401)[1] == [200, 400], "it is too small"


def test_a_closer_look_is_for_smaller_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[CropRules] = []

    def load(own: CropRules) -> Detector:
        made.append(own)
        return lambda image: []

    monkeypatch.setattr(ensemble, "load", load)
    FaceSearch(CropRules(detect_side=400, min_face=90, min_share=0.06), None)(lambda side: (BLANK, 4))
    asked = {(own.detect_side, own.min_face, own.min_share) for own in made}
    assert asked == {(side, least, 0.06) for side in (200, 400) for least in (90, 22)} | {(800, 1, 0.03)}


def test_each_rotation_gets_its_looks() -> None:
    made = [(look.side, look.angle) for look in looks(CropRules(detect_side=400, rotations=(30.0, -30.0)))]
    assert made == [(side, angle) for angle in (0, 30, -30) for side in (200, 400)]


def spot(image: NDArray[np.uint8]) -> list[Face]:
    """Finds the red spot that stands upright above the blue one."""
    red, blue = (np.argwhere((image[..., c] > 200) & (image[..., 1] < 90) & (image[..., 2 - c] < 90)) for c in (0, 2))
    if not len(red) or not len(blue) or abs(red[:, 1].mean() - blue[:, 1].mean()) > 3:
        return []
    y, x = (red.mean(axis=0) + blue.mean(axis=0)) / 2 + 0.5
    return [Face(Box(x - 20, y - 20, 40, 40), 1.0)]


@pytest.mark.parametrize("lean", [30.0, -30.0])
def test_a_turned_photo_shows_the_leaning_head_and_its_box_is_carried_back(
    monkeypatch: pytest.MonkeyPatch, lean: float
) -> None:
    image = np.full((200, 320, 3), 90, np.uint8)
    angle = np.radians(lean)
    for colour, reach in (((255, 0, 0), -30), ((0, 0, 255), 30)):
        x, y = 110 - reach * np.sin(angle), 90 + reach * np.cos(angle)
        cv2.circle(image, (round(x), round(y)), 6, colour, -1)
    monkeypatch.setattr(ensemble, "load", lambda rules: spot)
    assert FaceSearch(CropRules(), None)(lambda side: (image, 1)) == []
    (found,) = FaceSearch(CropRules(rotations=(30.0, -30.0)), None)(lambda side: (image, 1))
    assert found.face.face.angle == lean
    np.testing.assert_allclose(found.face.face.box, (90.5, 70.5, 40, 40), atol=1.5)


@pytest.mark.parametrize(("wanted", "passes"), [("all", 6), ("largest", 1)])
def test_a_face_found_upright_is_not_found_again(monkeypatch: pytest.MonkeyPatch, wanted: str, passes: int) -> None:
    calls = []

    def everywhere(image: NDArray[np.uint8]) -> list[Face]:
        calls.append(image.shape)
        return [Face(Box(*(np.array(image.shape[1::-1]) / 2 - 20), 40, 40), 1.0)]

    monkeypatch.setattr(ensemble, "load", lambda rules: everywhere)
    finder = FaceSearch(CropRules(rotations=(30.0, -30.0), faces=wanted), None)
    assert len(finder(lambda side: (np.zeros((120, 160, 3), np.uint8), 1))) == 1
    assert len(calls) == passes
