"""Back views: hair where a face would be, told by drawn people whose face no detector is asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.pipeline.pairs import evidence

RED, HAIR = (190, 30, 40), (55, 40, 30)
DARK, LIGHT = (112, 74, 55), (232, 190, 160)


def person(skin: tuple[int, int, int], back: bool, ground: int = 225) -> np.ndarray:
    """Somebody from the head to the knees in a red suit, uint8 [400, 280, 3]."""
    rgb = np.full((400, 280, 3), ground, np.uint8)
    cv2.rectangle(rgb, (110, 130), (170, 400), skin, -1)  # trunk and legs
    cv2.rectangle(rgb, (90, 135), (190, 160), skin, -1)  # shoulders
    for x in (84, 186):
        cv2.rectangle(rgb, (x, 140), (x + 14, 270), skin, -1)
    cv2.rectangle(rgb, (130, 110), (150, 140), skin, -1)
    cv2.ellipse(rgb, (140, 75), (32, 44), 0, 0, 360, HAIR, -1)
    if not back:
        cv2.ellipse(rgb, (140, 85), (24, 34), 0, 0, 360, skin, -1)
    cv2.rectangle(rgb, (112, 150), (168, 300), RED, -1)
    return rgb


def hair(rgb: np.ndarray) -> float | None:
    article = np.full((120, 100, 3), 255, np.uint8)
    article[20:100, 25:75] = RED
    return evidence.worn(article, rgb, [])["hair"]


@pytest.mark.parametrize("skin", [DARK, LIGHT])
@pytest.mark.parametrize("ground", [225, 250, 120])
def test_a_back_is_hair_and_a_front_is_not(skin: tuple[int, int, int], ground: int) -> None:
    back, front = hair(person(skin, True, ground)), hair(person(skin, False, ground))
    assert back is not None and front is not None
    assert back > 0.85 > 0.7 > front


def test_a_picture_that_ends_below_the_head_says_nothing() -> None:
    assert hair(person(LIGHT, True)[135:]) is None
    assert hair(person(LIGHT, False)[118:]) is None


def test_a_person_who_shows_no_skin_says_nothing() -> None:
    rgb = person((60, 60, 160), True)
    assert hair(rgb) is None


def test_nothing_worn_says_nothing() -> None:
    assert hair(np.full((80, 60, 3), 200, np.uint8)) is None
