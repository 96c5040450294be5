"""Shares of skin's colour: all tones of skin have it, other colours have not, and photos without colour say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces import skin
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

BOX = Box(20.4, 30.6, 100, 100)


def flat(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.full((200, 220, 3), colour, np.uint8)


# The swatches of the Monk skin tone scale, light to dark.
MONK = [
    (246, 237, 228), (243, 231, 219), (247, 234, 208), (234, 218, 186), (215, 189, 150),
    (160, 126, 86), (130, 92, 67), (96, 65, 52), (58, 49, 42), (41, 36, 32),
]  # fmt: skip


@pytest.mark.parametrize("tone", MONK, ids=str)
def test_tones_of_skin_are_skin(tone: tuple[int, int, int]) -> None:
    assert skin.shares(flat(tone), BOX) == {"skin": 1.0, "skin_rim": 1.0}


@pytest.mark.parametrize("colour", [(30, 60, 200), (20, 150, 60), (0, 140, 150), (90, 30, 160), (120, 120, 120)])
def test_other_colours_are_not(colour: tuple[int, int, int]) -> None:
    assert skin.shares(flat(colour), BOX) == {"skin": 0.0, "skin_rim": 0.0}


def test_the_middle_and_the_rim_are_told_apart() -> None:
    image = flat((30, 60, 200))
    image[50:112, 40:102] = MONK[5]
    found = skin.shares(image, BOX)
    assert found["skin"] == 1.0 and found["skin_rim"] < 0.05


@pytest.mark.parametrize(
    "box", [Box(-50, -50, 60, 60), Box(210, 190, 80, 80), Box(-400, -400, 3, 3), Box(5, 5, 0.2, 9)]
)
def test_boxes_beyond_the_photo_are_measured_where_it_is(box: Box) -> None:
    assert skin.shares(flat(MONK[5]), box)["skin"] == 1.0


def test_a_monochrome_photo_has_no_colour_even_when_it_is_tinted() -> None:
    luma = np.random.default_rng(1).integers(0, 256, (200, 300, 1))
    sepia = np.clip(luma * np.array([1.0, 0.9, 0.72]), 0, 255).astype(np.uint8)
    assert not skin.has_colour(sepia)
    assert not skin.has_colour(np.repeat(luma, 3, axis=2).astype(np.uint8))
    assert skin.has_colour(drawn_people.photo(3))


def test_it_is_measured_of_colour_photos_of_people_alone() -> None:
    aligner = Aligner(CropRules(size=64))
    (cut,) = aligner(drawn_people.photo(3))
    assert cut.measures["skin"] > 0.5 and cut.measures["skin_rim"] > 0.2
    grey = np.repeat(drawn_people.photo(3).mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    (cut,) = aligner(grey)
    assert cut.reason == "ok" and "skin" not in cut.measures
    (cut,) = Aligner(CropRules(size=64, align="none"))(drawn_people.photo(3))
    assert "skin" not in cut.measures


def test_no_portrait_in_colour_is_refused_for_it(data: Path) -> None:
    aligner = Aligner(CropRules(size=64, min_neighbors=6))
    found = []
    for path in sorted((data / "train/portraits_colour").rglob("*.jpg"))[2::15]:
        found += [cut for cut in aligner(codec.decode(path.read_bytes())) if "skin" in cut.measures]
    assert len(found) > 20
    assert all(cut.reason != "not_skin" for cut in found), [cut.measures for cut in found]
