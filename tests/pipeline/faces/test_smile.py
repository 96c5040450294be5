"""How much a face smiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.faces import plausibility, smile
from curate.pipeline.imaging.geometry import Points
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
    more = [hits(replace(look, smile=True)) - hits(replace(look, smile=False)) for look in looks]
    assert sum(rise > 0 for rise in more) >= 5
