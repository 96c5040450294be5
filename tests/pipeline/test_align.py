"""Faces found, landmarks where they are, refusals with their reasons, on drawn people and on photos."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import detectors, geometry, images
from pipeline.align import Aligner, Cut, framing, measure, plausible
from pipeline.detectors import DETECTORS, landmarks
from pipeline.errors import UsageError
from pipeline.geometry import Box
from pipeline.params import CropRules
from tests.pipeline import faces

SEEDS = range(12)


@lru_cache(maxsize=8)
def aligner(**rules: Any) -> Aligner:
    return Aligner(CropRules(**rules))


def one(image: NDArray[np.uint8], **rules: Any) -> Cut:
    (cut,) = aligner(**rules)(image)
    return cut


def beside(*pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.hstack(pictures)


def test_drawn_people_are_found_where_they_are() -> None:
    found = 0
    for seed in SEEDS:
        places = faces.person(seed).places()
        cuts = [cut for cut in aligner()(faces.photo(seed)) if cut.reason == "ok"]
        for cut in cuts:
            assert cut.box is not None and cut.landmarks is not None
            assert geometry.overlap(cut.box, Box(*places.face)) > 0.3
            drawn = np.array(places.eyes)
            error = np.abs(np.array(geometry.eyes(cut.landmarks)) - drawn).max()
            assert error < 0.15 * np.hypot(*(drawn[1] - drawn[0]))
        found += len(cuts)
    assert found >= 10


def test_eyes_and_mouth_come_to_the_same_place_in_every_crop() -> None:
    eyes, mouths = [], []
    for seed in SEEDS:
        for cut in aligner()(faces.photo(seed)):
            if cut.reason == "ok" and cut.landmarks is not None:
                eyes.append(geometry.apply(cut.affine, np.array(geometry.eyes(cut.landmarks))))
                mouths.append(geometry.apply(cut.affine, geometry.mouth(cut.landmarks)[None])[0])
    assert np.std(np.array(eyes)[:, :, 1]) < 5
    assert abs(np.array(eyes).mean(axis=(0, 1))[0] - 127.5) < 6
    assert np.mean(np.array(mouths)[:, 1]) > np.mean(np.array(eyes)[:, :, 1]) + 40


def test_landmarks_do_not_depend_on_the_size_of_the_photo() -> None:
    find = landmarks.load()
    photo, places = faces.photo(3), faces.person(3).places()
    box = Box(*places.face)
    large = np.repeat(np.repeat(photo, 3, axis=0), 3, axis=1)
    small = find(photo, box)
    np.testing.assert_allclose((find(large, box.scaled(3)) + 0.5) / 3 - 0.5, small, atol=0.05 * box.side)
    assert len({value % 1 for value in small.ravel()}) > 2  # finer than whole px


def test_two_people_in_a_photo() -> None:
    small, large = faces.photo(3)[::2, ::2], faces.photo(3)
    room = np.full((300, 150, 3), 200, np.uint8)
    room[60:210] = small
    image = beside(large, room)
    by_rule = {rule: aligner(faces=rule, min_face=20)(image) for rule in ("largest", "all", "single")}
    assert sorted(cut.reason for cut in by_rule["all"]) == ["ok", "ok"]
    assert [cut.reason for cut in by_rule["single"]] == ["many_faces", "many_faces"]
    kept = [cut for cut in by_rule["largest"] if cut.reason == "ok"]
    assert len(kept) == 1 and kept[0].box is not None and kept[0].box.x < 300


def test_no_face_no_cut() -> None:
    assert aligner()(faces.landscape(1)) == []


@pytest.mark.parametrize(
    ("rules", "reason", "measured"),
    [
        ({"min_face": 170}, "too_small", "box"),
        ({"max_upscale": 0.5}, "upscaled", "upscale"),
        ({"min_sharpness": 1e6}, "blurry", "sharpness"),
        ({"brightness": (250.0, 255.0)}, "too_dark", "brightness"),
        ({"brightness": (0.0, 5.0)}, "too_bright", "brightness"),
    ],
)
def test_a_refusal_keeps_what_was_measured(rules: dict[str, Any], reason: str, measured: str) -> None:
    cut = one(faces.photo(3), **rules)
    assert cut.reason == reason
    assert getattr(cut, measured) is not None


def test_a_face_at_the_edge_is_refused_by_its_padding() -> None:
    photo, places = faces.photo(3), faces.person(3).places()
    cropped = np.ascontiguousarray(photo[int(places.face[1]) :])
    assert one(cropped, max_padding=0.02).reason == "padding"
    assert one(cropped).reason == "ok"


def test_none_takes_the_middle_square_and_looks_for_nobody() -> None:
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 20:80] = 255
    cut = one(image, align="none", size=60, detector="haar")
    assert cut.box is None and cut.index == -1
    assert cut.image is not None and cut.image.min() == 255


def test_the_framing_follows_the_detector() -> None:
    assert framing(CropRules()) == "ffhq"
    assert framing(CropRules(detector="anime")) == "box"
    assert framing(CropRules(align="box")) == "box"


def test_landmarks_upside_down_are_not_plausible() -> None:
    cut = one(faces.photo(3))
    assert cut.landmarks is not None and cut.box is not None
    assert plausible(cut.landmarks, cut.box)
    flipped = cut.landmarks.copy()
    flipped[:, 1] = 2 * cut.box.centre[1] - flipped[:, 1]
    assert not plausible(flipped, cut.box)
    assert not plausible(cut.landmarks, Box(0, 0, 20, 20))


def test_sharpness_compares_across_sizes() -> None:
    photo = faces.photo(5)
    small, large = one(photo, size=128), one(photo, size=512)
    assert small.sharpness is not None and large.sharpness is not None
    assert 0.5 < small.sharpness / large.sharpness < 2
    assert measure(np.full((64, 64, 3), 90, np.uint8)) == (0, 90)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (24, 24), (25, 480)])
@pytest.mark.parametrize("align", ["ffhq", "box", "none"])
def test_no_shape_of_photo_is_too_odd(shape: tuple[int, int], align: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for cut in aligner(align=align, size=64)(image):
        assert cut.affine.shape == (2, 3)


def test_a_detector_with_a_typo_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'haar'"):
        detectors.load(CropRules(detector="harr"))
    assert set(DETECTORS) >= {"haar", "anime"}


def test_drawings_are_found_and_turned(models: Path) -> None:
    cuts = [cut for seed in SEEDS for cut in aligner(detector="anime", rotate=45.0)(faces.drawing(seed))]
    kept = [cut for cut in cuts if cut.reason == "ok"]
    assert len(kept) >= 9
    angles = [np.degrees(np.arctan2(cut.affine[1, 0], cut.affine[0, 0])) for cut in kept]
    np.testing.assert_allclose(angles, -45, atol=1e-6)


def decoded(paths: list[Path]) -> list[NDArray[np.uint8]]:
    assert paths
    return [images.decode(path.read_bytes()) for path in paths]


def share_found(photos: list[NDArray[np.uint8]], **rules: Any) -> float:
    return float(np.mean([any(cut.reason == "ok" for cut in aligner(**rules)(photo)) for photo in photos]))


@pytest.mark.slow
def test_real_portraits_are_found(data: Path) -> None:
    photos = decoded(sorted((data / "portraits_gray").rglob("*.jpg"))[::2])
    assert share_found(photos) >= 0.95


def test_real_drawings_are_found(data: Path, models: Path) -> None:
    files = [*(data / "anime_generated").glob("*.jpg"), *(data / "anime_renpy").glob("*.png")]
    assert share_found(decoded(sorted(files)), detector="anime") >= 0.8


def test_garments_have_no_faces(data: Path) -> None:
    photos = decoded(sorted((data / "clothing_cc0").rglob("*.jpg")))
    assert share_found(photos) <= 0.03
