"""Which pictures of articles are copies of one another: alike in shape and in colour.

A perceptual hash sees no colour, and on a plain ground the red and the blue shirt of one cut have the same hash. So a
near hash counts as a copy only if the colours agree as well.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import hashing
from pipeline.images import RGB

GRID = 8  # cells along each side that colours are compared in


def colours(rgb: RGB) -> bytes:
    """The mean colour of each cell of a GRID x GRID grid over `rgb`, uint8 [H, W, 3]: GRID * GRID * 3 bytes."""
    return cv2.resize(rgb, (GRID, GRID), interpolation=cv2.INTER_AREA).tobytes()


def near(hashes: hashing.Hashes, colour_grids: NDArray[np.uint8], radius: int, colour: float) -> NDArray[np.int64]:
    """Pairs of positions [n, 2], i < j, in order, whose hashes differ in at most `radius` bits and whose grids [*, k]
    differ by at most `colour` on average, 0..255."""
    pairs = hashing.neighbours(hashes, radius)
    grids = colour_grids.astype(np.int16)
    agree = [float(np.abs(grids[i] - grids[j]).mean()) <= colour for i, j in pairs.tolist()]
    return pairs[np.array(agree, bool)]


def stand_ins(count: int, pairs: NDArray[np.int64]) -> list[int]:
    """For each of `count` items, in order of preference, the item that is kept in its stead; itself when it is kept.

    An item gives way only to one that is kept and is its own copy, so a chain of likenesses can't swallow everything.
    """
    before: list[list[int]] = [[] for _ in range(count)]
    for i, j in pairs.tolist():
        before[j].append(i)
    kept: list[int] = []
    for item, earlier in enumerate(before):
        kept.append(next((e for e in sorted(earlier) if kept[e] == e), item))
    return kept
