"""Faces found, landmarks where they are, refusals with their reasons, on drawn people and on photos."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.alignment import FRAMINGS, Aligner, Cut, alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import DETECTORS, ensemble
from curate.pipeline.faces.ffhq import eyes, mouth
from curate.pipeline.faces.landmarkers import dlib68
from curate.pipeline.imaging import codec, geometry
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

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
        places = drawn_people.person(seed).places()
        cuts = [cut for cut in aligner()(drawn_people.photo(seed)) if cut.reason == "ok"]
        for cut in cuts:
            assert cut.box is not None and cut.landmarks is not None
            assert geometry.overlap(cut.box, Box(*places.face)) > 0.3
            drawn = np.array(places.eyes)
            error = np.abs(np.array(eyes(cut.landmarks)) - drawn).max()
            assert error < 0.15 * np.hypot(*(drawn[1] - drawn[0]))
        found += len(cuts)
    assert found >= 10


def test_eyes_and_mouth_come_to_the_same_place_in_every_crop() -> None:
    places, mouths = [], []
    for seed in SEEDS:
        for cut in aligner()(drawn_people.photo(seed)):
            if cut.reason == "ok" and cut.landmarks is not None:
                places.append(geometry.apply(cut.affine, np.array(eyes(cut.landmarks))))
                mouths.append(geometry.apply(cut.affine, mouth(cut.landmarks)[None])[0])
    assert np.std(np.array(places)[:, :, 1]) < 5
    assert abs(np.array(places).mean(axis=(0, 1))[0] - 127.5) < 6
    assert np.mean(np.array(mouths)[:, 1]) > np.mean(np.array(places)[:, :, 1]) + 40


def test_landmarks_do_not_depend_on_the_size_of_the_photo() -> None:
    find = dlib68.load()
    photo, places = drawn_people.photo(3), drawn_people.person(3).places()
    box = Box(*places.face)
    large = np.repeat(np.repeat(photo, 3, axis=0), 3, axis=1)
    small = find(photo, box, 0).points
    np.testing.assert_allclose((find(large, box.scaled(3), 0).points + 0.5) / 3 - 0.5, small, atol=0.05 * box.side)
    assert len({value % 1 for value in small.ravel()}) > 2  # finer than whole px


def test_a_doubtful_box_is_shown_to_a_second_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    places, find = Box(*drawn_people.person(3).places().face), dlib68.load()
    assert find(drawn_people.photo(3), places, 0).second_score is None, "calm"
    monkeypatch.setattr(dlib68, "_SURE", -1.0)
    for lean in (0.0, 10.0):
        score = find(drawn_people.photo(3), places, lean).second_score
        assert score is not None and score > 0
    assert find(drawn_people.landscape(1), places, 0).second_score == dlib68.UNSEEN


def test_a_photo_whose_face_is_too_small_says_so_with_its_size() -> None:
    """Below min_face, and below the share of the photo from which faces are looked for at first."""
    crowd = np.full((1200, 1200, 3), 200, np.uint8)
    crowd[700:850, 300:450] = drawn_people.photo(3)[::2, ::2]
    places = drawn_people.person(3).places().face
    (cut,) = aligner(min_face=120)(crowd)
    assert cut.reason == "too_small"
    assert cut.measures["face_px"] == pytest.approx(places[2] / 2, rel=0.35)
    assert aligner(min_face=120, closer_look=False)(crowd) == []
    (cut,) = aligner(min_face=30, max_upscale=10.0)(crowd)
    assert cut.reason == "ok"


def test_two_people_in_a_photo() -> None:
    small, large = drawn_people.photo(3)[::2, ::2], drawn_people.photo(3)
    room = np.full((300, 150, 3), 200, np.uint8)
    room[60:210] = small
    image = beside(large, room)
    by_rule = {rule: aligner(faces=rule, min_face=20)(image) for rule in ("largest", "all", "single")}
    assert sorted(cut.reason for cut in by_rule["all"]) == ["ok", "ok"]
    assert [cut.reason for cut in by_rule["single"]] == ["many_faces", "many_faces"]
    kept = [cut for cut in by_rule["largest"] if cut.reason == "ok"]
    assert len(kept) == 1 and kept[0].box is not None and kept[0].box.x < 300


def test_no_face_no_cut() -> None:
    assert aligner()(drawn_people.landscape(1)) == []


@pytest.mark.parametrize(
    ("rules", "reason", "measured"),
    [
        ({"min_face": 190}, "too_small", "face_px"),
        ({"max_upscale": 0.5}, "upscaled", "upscale"),
        ({"min_sharpness": 1e6}, "blurry", "sharpness"),
        ({"brightness": (250.0, 255.0)}, "too_dark", "brightness"),
        ({"brightness": (0.0, 5.0)}, "too_bright", "brightness"),
    ],
)
def test_a_refusal_keeps_what_was_measured(rules: dict[str, Any], reason: str, measured: str) -> None:
    cut = one(drawn_people.photo(3), **rules)
    assert cut.reason == reason
    assert measured in cut.measures


def test_a_face_at_the_edge_is_refused_by_its_padding() -> None:
    photo, places = drawn_people.photo(3), drawn_people.person(3).places()
    cropped = np.ascontiguousarray(photo[int(places.face[1]) :])
    assert one(cropped, max_padding=0.02).reason == "padding"
    assert one(cropped).reason == "ok"


def test_none_takes_the_middle_square_and_looks_for_nobody() -> None:
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 20:80] = 255
    cut = one(image, align="none", size=60, detector="haar")
    assert cut.box is None and cut.index == -1
    assert cut.image.min() == 255


def test_framings_show_more_and_more_of_one_face() -> None:
    assert set(FRAMINGS) == set(get_args(get_type_hints(CropRules)["framing"]))
    cuts = {name: one(drawn_people.photo(3), framing=name, max_padding=1.0) for name in FRAMINGS}
    places = {name: geometry.apply(cut.affine, np.array(eyes(cut.landmarks))) for name, cut in cuts.items()}
    apart = [
        float(np.hypot(*(places[name][1] - places[name][0]))) for name in ("face", "ffhq", "head", "bust", "person")
    ]
    assert apart == sorted(apart, reverse=True)
    for name in ("bust", "person"):  # the top of the head stays in, and the body stands upright
        assert 10 < places[name][:, 1].mean() < 128
        assert cuts[name].affine[0, 1] == pytest.approx(0, abs=1e-9)
    wide, low = (one(drawn_people.photo(3), **more) for more in ({"scale": 2.0}, {"shift_y": 0.25}))
    assert wide.measures["upscale"] == pytest.approx(cuts["ffhq"].measures["upscale"] / 2, rel=1e-6)
    np.testing.assert_allclose(
        geometry.apply(low.affine, low.landmarks) - geometry.apply(cuts["ffhq"].affine, cuts["ffhq"].landmarks),
        [[0, -64]] * 68,
        atol=1e-3,
    )


def test_a_leaning_head_is_found_on_the_turned_photo_and_comes_out_upright() -> None:
    upright = drawn_people.photo(3)
    matrix = cv2.getRotationMatrix2D((149.5, 149.5), -50, 1.0)
    leaning = np.asarray(cv2.warpAffine(upright, matrix, (300, 300), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    assert not any(cut.reason == "ok" for cut in aligner()(leaning))
    (cut,) = [c for c in aligner(rotations=(-50.0, 50.0), max_roll=70.0)(leaning) if c.reason == "ok"]
    assert cut.detected is not None and cut.detected.face.angle == 50
    assert cut.measures["roll"] == pytest.approx(one(upright).measures["roll"] + 50, abs=6)
    left, right = geometry.apply(cut.affine, np.array(eyes(cut.landmarks)))
    assert abs(right[1] - left[1]) < 6


def test_the_framing_follows_the_detector() -> None:
    assert alignment(CropRules()) == "ffhq"
    assert alignment(CropRules(detector="anime")) == "box"
    assert alignment(CropRules(align="box")) == "box"


def test_sharpness_compares_across_sizes() -> None:
    photo = drawn_people.photo(5)
    small, large = (one(photo, size=size).measures["sharpness"] for size in (128, 512))
    assert 0.5 < small / large < 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (24, 24), (25, 480)])
@pytest.mark.parametrize("align", ["ffhq", "box", "none"])
def test_no_shape_of_photo_is_too_odd(shape: tuple[int, int], align: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for cut in aligner(align=align, size=64)(image):
        assert cut.affine.shape == (2, 3)


def test_a_detector_with_a_typo_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'haar'"):
        ensemble.load(CropRules(detector="harr"))
    assert set(DETECTORS) >= {"haar", "anime"}


def test_drawings_are_found_and_turned(cascade: Path) -> None:
    cuts = [cut for seed in SEEDS for cut in aligner(detector="anime", rotate=45.0)(drawn_people.drawing(seed))]
    kept = [cut for cut in cuts if cut.reason == "ok"]
    assert len(kept) >= 9
    angles = [np.degrees(np.arctan2(cut.affine[1, 0], cut.affine[0, 0])) for cut in kept]
    np.testing.assert_allclose(angles, -45, atol=1e-6)


def decoded(paths: list[Path]) -> list[NDArray[np.uint8]]:
    assert paths
    return [codec.decode(path.read_bytes()) for path in paths]


def share_found(photos: list[NDArray[np.uint8]], **rules: Any) -> float:
    return float(np.mean([any(cut.reason == "ok" for cut in aligner(**rules)(photo)) for photo in photos]))


@pytest.mark.slow
def test_real_portraits_are_found(data: Path) -> None:
    photos = decoded(sorted((data / "portraits_gray").rglob("*.jpg"))[::4])
    assert share_found(photos) >= 0.95


def test_real_drawings_are_found(data: Path, cascade: Path) -> None:
    files = [*(data / "anime_generated").glob("*.jpg"), *(data / "anime_renpy").glob("*.png")]
    assert share_found(decoded(sorted(files)), detector="anime") >= 0.8


def test_garments_have_no_faces(data: Path) -> None:
    photos = decoded(sorted((data / "clothing_cc0").rglob("*.jpg"))[::3])
    assert share_found(photos) <= 0.03
