"""How much a face smiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.faces import plausibility, smile
from curate.pipeline.faces.landmarkers import Landmarks
from curate.pipeline.imaging.geometry import Box, Points
from tests.support.drawn_people import person

MEAN = np.asarray(plausibility.MEAN, float)


def turned(points: Points, degrees: float, scale: float) -> Points:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(points @ np.array([[c, s], [-s, c]]) * scale + (40.0, 90.0))


def test_wider_raised_and_open_mouths_smile_more() -> None:
    plain = smile.measures(MEAN)["smile"]
    wider, raised, opened = MEAN.copy(), MEAN.copy(), MEAN.copy()
    wider[48, 0] -= 0.1
    raised[[48, 54], 1] -= 0.1
    opened[66, 1] += 0.1
    assert smile.measures(wider)["smile"] == pytest.approx(plain + 0.1)
    assert smile.measures(raised)["smile"] == pytest.approx(plain + 0.1)
    assert smile.measures(opened)["smile"] == pytest.approx(plain + 0.15)  # lips' middle moves down with it
    assert smile.measures(opened)["mouth_open"] == pytest.approx(smile.measures(MEAN)["mouth_open"] + 0.1)


def test_neither_roll_nor_size_changes_the_measures() -> None:
    assert smile.measures(turned(MEAN, 25, 70)) == pytest.approx(smile.measures(MEAN))


def hits(look: Portrait) -> float:
    (left, right), middle = look.places().eyes, look.places().mouth
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[[48, 54]] = left, right, middle
    return smile.cascade_hits(look.draw(), points)


def test_the_cascade_fires_more_when_the_same_person_smiles() -> None:
    looks = [person(seed) for seed in range(6)]
    more = [hits(replace(look, smile=1.0)) - hits(replace(look, smile=0.0)) for look in looks]
    assert sum(rise > 0 for rise in more) >= 5


def test_calm_measures_are_the_mirror_images_own_and_those_of_turned_boxes() -> None:
    """With landmarks that lie where the box is, one side's corner higher than the other's."""
    seen: list[tuple[bool, Box, float]] = []

    def find(image: NDArray[np.uint8], box: Box, angle: float) -> Landmarks:
        seen.append((bool(image[0, 0, 0]), box, angle))
        points = MEAN.copy()
        points[48, 0] -= 0.1 * bool(image[0, 0, 0]) + 0.01 * (box.x != 30.0)
        return Landmarks(points, None)

    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = 255
    box = Box(30.0, 20.0, 30.0, 30.0)
    calm = smile.calm_measures(image, box, 7.0, find)
    assert calm == pytest.approx(smile.calm_measures(image[:, ::-1], box.mirrored(100), -7.0, find))
    plain = smile.measures(MEAN)["smile"]
    assert plain + 0.05 < calm["smile"] < plain + 0.06
    assert len(seen) == 4 * len(smile.LOOKS)
    turns = [turn for *_, turn in smile.LOOKS]
    assert [angle for left, _, angle in seen[: 2 * len(turns)] if left] == [7.0 + turn for turn in turns]
