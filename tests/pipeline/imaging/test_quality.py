"""Measures of pixels, on pictures whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec, quality
from tests.support import drawn_people

NOISE = np.random.default_rng(3).integers(40, 200, (128, 128, 3)).astype(np.uint8)


def plain(*colour: int) -> NDArray[np.uint8]:
    return np.full((64, 64, 3), colour, np.uint8)


def tinted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    luma = image.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(luma * (1.0, 0.85, 0.6), 0, 255), np.uint8)


def test_a_plain_grey_picture() -> None:
    found = quality.measure(plain(90, 90, 90))
    assert found["is_grey"]
    assert found["brightness"] == 90
    assert {found[name] for name in ("sharpness", "clipped", "colourfulness", "chroma_rest", "outlines")} == {0}


@pytest.mark.parametrize(("colour", "share"), [((0, 0, 0), 1), ((255, 255, 255), 1), ((128, 128, 128), 0)])
def test_what_is_black_or_white_is_clipped(colour: tuple[int, int, int], share: float) -> None:
    half = np.vstack([plain(*colour), plain(100, 100, 100)])
    assert quality.measure(np.asarray(np.repeat(half, 2, axis=1)))["clipped"] == pytest.approx(share / 2, abs=0.02)


def test_a_tint_has_colour_that_luma_explains() -> None:
    photo = drawn_people.photo(4)
    colour, tint, grey = (quality.measure(p) for p in (photo, tinted(photo), tinted(photo)[..., :1].repeat(3, axis=2)))
    assert grey["is_grey"] and not tint["is_grey"] and not colour["is_grey"]
    assert tint["colourfulness"] > 15
    assert tint["chroma_rest"] < 2 < colour["chroma_rest"]


def test_colourfulness_is_the_papers() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, :] = (200, 0, 0)  # rg 200, yb 100 in half of the px, 0 in the others
    expected = np.hypot(100, 50) + 0.3 * np.hypot(100, 50)
    assert quality.colourfulness(image) == pytest.approx(expected)


def test_drawings_have_outlines_and_photos_hardly_any() -> None:
    drawn = [quality.measure(drawn_people.drawing(seed)[80:280, 60:260])["outlines"] for seed in range(6)]
    painted = [quality.measure(drawn_people.photo(seed)[50:250, 50:250])["outlines"] for seed in range(6)]
    assert max(painted) < 0.065 < min(drawn)


def test_real_drawings_have_more_outlines_than_real_photos(data: Path, cascade: Path) -> None:
    def shares(detector: str, *patterns: str) -> list[float]:
        aligner = Aligner(CropRules(detector=detector, align="box"))
        found = sorted(path for pattern in patterns for path in data.glob(pattern))[:24]
        return [cut.measures["outlines"] for path in found for cut in aligner(codec.decode(path.read_bytes()))]

    photos = shares("haar", "portraits_gray/women/*.jpg")
    drawings = shares("anime", "anime_generated/*.jpg", "anime_renpy/*.png")
    assert len(photos) > 20 and len(drawings) > 20
    assert np.mean(np.array(photos) < 0.065) > 0.95
    assert np.mean(np.array(drawings) > 0.065) > 0.9


def test_blur_takes_sharpness() -> None:
    blurred = np.asarray((NOISE[:-1, :-1].astype(int) + NOISE[1:, 1:] + NOISE[:-1, 1:] + NOISE[1:, :-1]) // 4, np.uint8)
    assert quality.measure(blurred)["sharpness"] < quality.measure(NOISE)["sharpness"] / 2


@pytest.mark.parametrize(
    ("colour", "hue"),
    [((200, 0, 0), 0), ((90, 90, 0), 60), ((0, 10, 0), 120), ((10, 20, 30), 210), ((255, 0, 255), 300)],
)
def test_the_hue_of_one_colour(colour: tuple[int, int, int], hue: float) -> None:
    # Within the chroma plane the hexagon's corners and edge middles lie where HSV has them.
    assert quality.measure(plain(*colour))["hue"] == pytest.approx(hue, abs=1.0)


def test_hues_are_averaged_on_the_circle_and_by_chroma() -> None:
    reds = np.vstack([plain(200, 0, 20), plain(200, 20, 0)])
    vivid = np.vstack([plain(200, 0, 0), plain(100, 100, 110)])
    for halves, most in ((reds, 1.0), (vivid, 5.0)):
        hue = quality.measure(np.hstack([halves, halves]))["hue"]
        assert abs((hue + 180) % 360 - 180) < most


def test_sharpness_in_the_face_does_not_see_the_background() -> None:
    crop = NOISE.copy()
    crop[32:96, 32:96] = 120
    corners = np.array([[34.0, 34], [93, 34], [93, 93], [34, 93]])
    found = quality.measure(crop, corners)
    assert found["sharpness"] > 1000
    assert found["face_sharpness"] == 0
    assert quality.measure(crop)["face_sharpness"] == pytest.approx(found["sharpness"], rel=1e-6)
    assert quality.measure(crop, corners + 1000)["face_sharpness"] == pytest.approx(found["sharpness"], rel=1e-6)


def test_points_around_the_face_scale_with_the_crop() -> None:
    crop = np.repeat(np.repeat(NOISE, 2, axis=0), 2, axis=1)
    crop[64:192, 64:192] = 120
    corners = np.array([[68.0, 68], [186, 68], [186, 186], [68, 186]])
    assert quality.measure(crop, corners)["face_sharpness"] == 0
