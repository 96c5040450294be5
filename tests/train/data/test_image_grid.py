"""Grids of images, with and without words above their columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curate.train.data.image_grid import GAP, grid

SIDE = 32


def column(level: float, count: int = 2) -> torch.Tensor:
    return torch.full((count, 3, SIDE, SIDE), level)


@pytest.mark.parametrize("side", [SIDE, 256])
def test_words_stand_above_their_columns_and_leave_the_pictures_as_they_are(side: int) -> None:
    pictures = [torch.full((2, 3, side, side), level) for level in (-1.0, 0.0, 1.0)]
    plain = grid(pictures[:2], pictures[2:])
    named = grid(pictures[:2], pictures[2:], labels=[["input", "heat map"], [""]])
    head = len(named) - len(plain)
    assert 10 <= head <= side // 2
    assert np.array_equal(named[head:], plain)
    inked = np.flatnonzero((named[:head] < 255).any(axis=(0, 2)))
    pitch = side + 2 * GAP
    assert (inked < pitch).any() and ((inked >= pitch) & (inked < 2 * pitch)).any()
    assert inked.max() < 2 * pitch, "no word runs into the next group, and no word stands above the last"


def test_without_words_there_is_no_line_for_them() -> None:
    assert grid([column(0.0)]).shape == (2 * (SIDE + 2 * GAP), SIDE + 2 * GAP, 3)
