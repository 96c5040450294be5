"""Copies of articles: the same shape is not enough, the same light is not needed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from curate.pipeline.hashing import phash
from curate.pipeline.pairs import article_copies

RADIUS, COLOUR = 8, 8.0


def shirt(colour: tuple[int, int, int], ground: int = 245) -> NDArray[np.uint8]:
    """A shirt of one colour on a plain ground, [256, 256, 3]."""
    image = Image.new("RGB", (256, 256), (ground,) * 3)
    outline = [(80, 70), (110, 60), (146, 60), (176, 70), (215, 120), (190, 140), (172, 115), (172, 205), (84, 205)]
    ImageDraw.Draw(image).polygon([*outline, (84, 115), (66, 140), (41, 120)], fill=colour)
    return np.asarray(image)


def recompressed(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def alike(*pictures: NDArray[np.uint8]) -> list[list[int]]:
    hashes = phash.phashes(pictures)
    grids = np.frombuffer(b"".join(map(article_copies.colours, pictures)), np.uint8).reshape(len(pictures), -1, 3)
    pairs: list[list[int]] = article_copies.find(hashes, grids, RADIUS, COLOUR).tolist()
    return pairs


def test_the_same_cut_in_another_colour_is_another_article() -> None:
    red, blue = shirt((190, 40, 50)), shirt((40, 60, 170))
    assert phash.distance(phash.phash(red), phash.phash(blue)) <= RADIUS, "a hash alone takes them for copies"
    assert alike(red, blue) == []


@pytest.mark.parametrize("brighter", [-20, 20])
def test_light_and_compression_do_not_hide_a_copy(brighter: int) -> None:
    red = shirt((150, 90, 60), ground=220)
    lit = np.clip(red.astype(np.int16) + brighter, 0, 255).astype(np.uint8)
    assert alike(red, recompressed(red, 40), recompressed(lit, 80)) == [[0, 1], [0, 2], [1, 2]]


def test_an_empty_picture_is_a_copy_of_itself() -> None:
    assert article_copies.difference(*np.full((2, 64, 3), 255, np.uint8)) == 0.0


def test_nothing_has_no_copies() -> None:
    assert article_copies.find(np.zeros(0, np.uint64), np.zeros((0, 64, 3), np.uint8), RADIUS, COLOUR).shape == (0, 2)
