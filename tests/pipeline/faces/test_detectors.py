"""The detectors on drawn people, and what several of them, or a turned photo, make of one face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import ModelError, UsageError
from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face, ensemble, names, yunet
from curate.pipeline.faces.detectors.ensemble import Agreement
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


@pytest.mark.parametrize("cascade", ["alt2", "default"])
def test_each_cascade_finds_a_drawn_face_and_its_name_is_checked(cascade: str) -> None:
    truth = Box(*drawn_people.person(3).places().face)
    found = ensemble.load(CropRules(cascade=cascade))(drawn_people.photo(3))
    assert any(geometry.overlap(face.box, truth) > 0.3 for face in found)
    with pytest.raises(UsageError, match="cascade"):
        parse(CropRules, {"cascade": "alt3"}, "crop")


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
