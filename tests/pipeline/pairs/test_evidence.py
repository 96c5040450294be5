"""What pictures of garments say: exact on painted squares, and on the drawn shop right pairs apart from wrong ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.pairs import evidence
from curate.pipeline.pairs.config import Pairs

WHITE, RED, BLUE, SKIN, GREEN = (255, 255, 255), (200, 30, 30), (30, 40, 190), (225, 175, 145), (30, 150, 60)


def article(colour: tuple[int, int, int], width: int = 40, height: int = 60) -> np.ndarray:
    rgb = np.full((100, 100, 3), WHITE, np.uint8)
    rgb[50 - height // 2 : 50 + height // 2, 50 - width // 2 : 50 + width // 2] = colour
    return rgb


def human(top: tuple[int, int, int], down: float = 0.3) -> tuple[np.ndarray, Box]:
    """A face of 20 px with its chin at 40, skin below, and cloth from `down` face heights below the chin on."""
    rgb = np.full((160, 100, 3), WHITE, np.uint8)
    rgb[15:40, 38:62] = SKIN
    rgb[40:150, 25:75] = SKIN
    start = 40 + round(down * 20)
    rgb[start : start + 40, 25:75] = top
    return rgb, Box(40, 20, 20, 20)


def test_a_plain_border_is_one_and_half_a_border_is_half() -> None:
    rgb = article(RED)
    assert evidence.border(rgb) == 1.0
    rgb[:50, :] = np.where((np.arange(50) % 2 == 0)[:, None, None], np.uint8(0), rgb[:50])
    assert 0.6 < evidence.border(rgb) < 0.9


def test_aspect_is_that_of_what_is_shown() -> None:
    assert evidence.aspect(article(RED, 40, 60)) == pytest.approx(1.5)
    assert evidence.aspect(article(RED, 60, 20)) == pytest.approx(1 / 3)
    assert evidence.aspect(article(WHITE)) is None


def test_what_is_worn_agrees_and_what_is_not_does_not() -> None:
    rgb, face = human(RED)
    right, wrong = (evidence.worn(article(colour), rgb, [face]) for colour in (RED, BLUE))
    assert right["agreement"] == 1.0 and right["others"] == 0.0
    assert wrong["agreement"] == 0.0 and wrong["worn_at"] is None
    assert wrong["others"] is not None and wrong["others"] > 0.5


def test_a_shirt_on_top_shows() -> None:
    rgb, face = human(RED)
    rgb[66:86, 25:75] = GREEN
    found = evidence.worn(article(RED), rgb, [face])
    assert found["agreement"] == 1.0
    assert found["others"] == pytest.approx(20 / 50, abs=0.06)  # of a torso 2.5 faces high


@pytest.mark.parametrize("down", [0.3, 1.5, 3.0])
def test_where_it_is_worn_is_counted_in_faces(down: float) -> None:
    rgb, face = human(RED, down)
    found = evidence.worn(article(RED), rgb, [face])["worn_at"]
    assert found == pytest.approx(down + 1.0, abs=0.1)  # the cloth is two faces high


def test_without_a_face_what_is_worn_is_found_by_its_colours() -> None:
    rgb, _ = human(RED)
    found = evidence.worn(article(RED), rgb, [])
    assert found == {"agreement": 1.0, "others": 0.0, "worn_at": None, "hair": 0.0}


def test_a_plain_article_says_nothing() -> None:
    rgb, face = human(RED)
    assert set(evidence.worn(article(WHITE), rgb, [face]).values()) == {None}


def written(grey: int) -> np.ndarray:
    """A card that says that there is no picture yet."""
    rgb = np.full((300, 240, 3), 245, np.uint8)
    return cv2.putText(rgb, "IN PREPARATION", (30, 150), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (grey,) * 3, 2)


@pytest.mark.parametrize(
    ("rgb", "blank"),
    [
        (article(WHITE), True),
        (written(40), True),
        (written(225), True),
        (article((240, 240, 238)), False),  # white on white
        (article(RED, 8, 60), False),
    ],
)
def test_writing_is_no_garment_and_white_on_white_is_one(rgb: np.ndarray, blank: bool) -> None:
    assert (evidence.shown(rgb) < Pairs().min_shown) == blank


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (3, 7)])
def test_pictures_of_any_shape(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
    evidence.border(rgb)
    evidence.aspect(rgb)
    evidence.worn(rgb, rgb, [Box(0, 0, shape[1], shape[0])])
    evidence.worn(rgb, rgb, [Box(-50, -50, 10, 10), Box(500, 500, 40, 40)])


def test_in_the_drawn_shop_right_pairs_stand_apart_from_wrong_ones() -> None:
    shop = [
        page
        for page in DrawnWorld(Demo(portraits=1, anime=0, icons=0, garments=12)).pages
        if page.category == "garments"
    ]
    whole = [{p.role: p for p in item.pictures} for item in shop if len(item.pictures) == 2]
    articles = [roles["article"].look.draw() for roles in whole]
    humans = [(roles["human"].look.draw(), Box(*roles["human"].truth.face)) for roles in whole]
    copies = [i for i, roles in enumerate(whole) if roles["article"].truth.copy]  # a wrong article, planted
    right, wrong = [], []
    for i, (rgb, face) in enumerate(humans):
        for j, other in enumerate(articles):
            same = whole[i]["article"].truth.garment.colour == whole[j]["article"].truth.garment.colour
            found = evidence.worn(other, rgb, [face])["agreement"]
            if i == j and i not in copies:
                right.append(found)
            elif not same:
                wrong.append(found)
    assert min(right) > 0.8
    assert np.median(wrong) < 0.4
    assert np.mean([value < 0.6 for value in wrong]) > 0.6  # the rest share a colour: white, or a stripe
