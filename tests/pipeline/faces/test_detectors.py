"""The detectors on drawn people, and what several of them, or a turned photo, make of one face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import DETECTORS, Detector, Face, ensemble, names, yunet
from curate.pipeline.faces.detectors.ensemble import Agreement, Closer, Turned
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

BLANK = np.zeros((10, 10, 3), np.uint8)


def sees(*found: tuple[tuple[float, float, float, float], float]) -> Detector:
    return lambda image: [Face(Box(*box), score) for box, score in found]


@pytest.mark.parametrize("detector", ["hog", pytest.param("cnn", marks=pytest.mark.slow)])
def test_drawn_people_are_found_where_they_are(detector: str) -> None:
    find = ensemble.load(CropRules(detector=detector, upsample=0))
    hits = 0
    for seed in range(4):
        truth = Box(*drawn_people.person(seed).places().face)
        hits += any(geometry.overlap(face.box, truth) > 0.3 for face in find(drawn_people.photo(seed)))
    assert hits >= 3
    assert find(drawn_people.landscape(1)) == []


def test_a_box_is_the_same_at_any_size_of_the_photo() -> None:
    find = ensemble.load(CropRules(detector="hog", detect_side=300, upsample=0))
    (small,), (large,) = (
        find(drawn_people.photo(3)),
        find(np.repeat(np.repeat(drawn_people.photo(3), 4, axis=0), 4, axis=1)),
    )
    np.testing.assert_allclose(large.box, small.box.scaled(4), atol=12)


def test_boxes_that_agree_become_one_face_with_all_scores() -> None:
    first = sees(((0, 0, 100, 100), 5.0), ((300, 0, 50, 50), 9.0))
    second = sees(((10, 0, 100, 100), 0.7), ((600, 0, 40, 40), 0.9))
    both, left, right = Agreement([first, second])(BLANK)
    assert both.box == (0, 0, 100, 100) and both.score == 5.0 and both.scores == (5.0, 0.7)
    assert both.agreement == pytest.approx(90 / 110)
    assert (left.scores, left.agreement) == ((9.0, None), 0)
    assert (right.scores, right.agreement, right.score) == ((None, 0.9), 0, 0.9)


def test_a_box_agrees_with_one_other_at_most_and_the_nearest_wins() -> None:
    first = sees(((0, 0, 100, 100), 1.0), ((60, 0, 100, 100), 2.0))
    second = sees(((5, 0, 100, 100), 3.0))
    paired, alone = Agreement([first, second, second])(BLANK)
    assert (paired.scores, alone.scores) == ((1.0, 3.0, 3.0), (2.0, None, None))


def test_detectors_are_named_with_plus_and_checked() -> None:
    assert names(CropRules(detector="haar+hog")) == ["haar", "hog"]
    with pytest.raises(UsageError, match="did you mean 'hog'"):
        names(CropRules(detector="haar+hogg"))
    with pytest.raises(UsageError, match="twice"):
        names(CropRules(detector="haar+haar"))
    for face in ensemble.load(CropRules(detector="haar+hog"))(drawn_people.photo(3)):
        assert face.agreement is not None and len(face.scores) == 2


def test_only_a_photo_in_which_nobody_is_seen_from_afar_is_looked_at_closer() -> None:
    looks: list[int] = []

    def near(image: NDArray[np.uint8]) -> list[Face]:
        looks.append(1)
        return [Face(Box(0, 0, 9, 9), 1.0)]

    assert Closer(sees(((5, 5, 90, 90), 2.0)), near)(BLANK)[0].box.width == 90
    assert looks == []
    assert Closer(sees(), near)(BLANK)[0].box.width == 9
    assert looks == [1]


@pytest.mark.parametrize(("faces_", "sides"), [("largest", {200, 400}), ("all", {400})])
def test_who_wants_the_largest_face_looks_from_afar_first(
    faces_: str, sides: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def load(rules: CropRules) -> Detector:
        made.append(rules.detect_side)
        return sees()

    monkeypatch.setattr(type(DETECTORS), "resolve", lambda self, name: load)
    ensemble.load(CropRules(faces=faces_, detect_side=400))
    assert set(made) == sides


@pytest.mark.parametrize("cascade", ["alt2", "default"])
def test_each_cascade_finds_a_drawn_face_and_its_name_is_checked(cascade: str) -> None:
    truth = Box(*drawn_people.person(3).places().face)
    found = ensemble.load(CropRules(cascade=cascade))(drawn_people.photo(3))
    assert any(geometry.overlap(face.box, truth) > 0.3 for face in found)
    with pytest.raises(UsageError, match="cascade"):
        parse(CropRules, {"cascade": "alt3"}, "crop")


def spot(image: NDArray[np.uint8]) -> list[Face]:
    """Finds the red spot that stands upright above the blue one."""
    red, blue = (np.argwhere((image[..., c] > 200) & (image[..., 1] < 90) & (image[..., 2 - c] < 90)) for c in (0, 2))
    if not len(red) or not len(blue) or abs(red[:, 1].mean() - blue[:, 1].mean()) > 3:
        return []
    y, x = (red.mean(axis=0) + blue.mean(axis=0)) / 2 + 0.5
    return [Face(Box(x - 20, y - 20, 40, 40), 1.0)]


@pytest.mark.parametrize("lean", [30.0, -30.0])
def test_a_turned_photo_shows_the_leaning_head_and_its_box_is_carried_back(lean: float) -> None:
    image = np.full((200, 320, 3), 90, np.uint8)
    angle = np.radians(lean)
    for colour, reach in (((255, 0, 0), -30), ((0, 0, 255), 30)):
        x, y = 110 - reach * np.sin(angle), 90 + reach * np.cos(angle)
        cv2.circle(image, (round(x), round(y)), 6, colour, -1)
    assert spot(image) == []
    (found,) = Turned(spot, CropRules(rotations=(30.0, -30.0)))(image)
    assert found.angle == lean
    np.testing.assert_allclose(found.box, (90.5, 70.5, 40, 40), atol=1.5)


def test_a_face_found_upright_is_not_found_again() -> None:
    calls = []

    def everywhere(image: NDArray[np.uint8]) -> list[Face]:
        calls.append(image.shape)
        return [Face(Box(*(np.array(image.shape[1::-1]) / 2 - 20), 40, 40), 1.0)]

    for wanted, passes in (("all", 3), ("largest", 1)):
        calls.clear()
        turned = Turned(everywhere, CropRules(rotations=(30.0, -30.0), faces=wanted))
        assert len(turned(np.zeros((120, 160, 3), np.uint8))) == 1
        assert len(calls) == passes


class Network:
    """Stands in for cv2.FaceDetectorYN: sees what is pure red, in the colour order that the real one expects."""

    def __init__(self) -> None:
        self.size = (0, 0)

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802
        self.size = size

    def detect(self, bgr: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32] | None]:
        assert self.size == bgr.shape[1::-1]
        y, x = np.nonzero((bgr[..., 2] > 200) & (bgr[..., 0] < 50))
        if not len(x):
            return 1, None
        box = [x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min()]
        return 1, np.array([[*box, *[0] * 10, 0.93], [*box, *[0] * 10, 0.97]], np.float32)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Detector]:
    monkeypatch.setattr(model_files, "path", lambda name: tmp_path / name)
    monkeypatch.setattr(yunet.cv2.FaceDetectorYN, "create", lambda *_: Network())
    return lambda **rules: yunet.load(CropRules(detector="yunet", **rules))


def test_yunet_is_given_its_colours_and_its_boxes_come_back_in_raw_px(network: Callable[..., Any]) -> None:
    image = np.zeros((400, 800, 3), np.uint8)
    image[100:200, 300:440] = (255, 0, 0)
    found = network(detect_side=400)(image)
    assert [face.score for face in found] == pytest.approx([0.97, 0.93])
    np.testing.assert_allclose(found[0].box, (300, 100, 140, 100), atol=2)
    assert network()(np.zeros((50, 50, 3), np.uint8)) == []


def test_a_file_that_is_no_network_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    monkeypatch.setattr(model_files, "path", lambda name: tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match=r"bad\.onnx: not a network"):
        yunet.load(CropRules(detector="yunet"))
