"""Which pictures of articles are copies of one another: alike in shape and in colour.

A perceptual hash sees no colour, and on a plain ground the red and the blue shirt of one cut have nearly one hash. So
a near hash makes a copy only if the colours agree as well.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.hashing import hamming
from curate.pipeline.hashing.arrays import Hashes, Pairs
from curate.pipeline.imaging.codec import RGB

GRID = 8  # cells along each side that colours are compared in
_GROUND = 16  # a cell this far from the median colour, in any channel, shows the article and not what it lies on
_COMPRESSED = 12  # of 255, in the mean of a cell
_LIGHT = 32.0  # a common difference in brightness up to this one is the light's, not the article's

Grid = NDArray[np.uint8]  # [GRID * GRID, 3]


def colours(rgb: RGB) -> bytes:
    """The mean colour of each cell of a GRID x GRID grid over `rgb`, uint8 [H, W, 3]: GRID * GRID * 3 bytes."""
    return cv2.resize(rgb, (GRID, GRID), interpolation=cv2.INTER_AREA).tobytes()


def difference(a: Grid, b: Grid) -> float:
    """How far apart the colours of two articles are, 0..255, whatever they lie on and however bright the light."""
    ground = np.median(np.concatenate([a, b]).astype(np.int16), axis=0)
    gap = a.astype(np.float64) - b
    shown = (np.abs(np.stack([a, b]) - ground).max(axis=2) > _GROUND).any(axis=0)
    if shown.any():
        gap = gap[shown]
    return float(np.abs(gap - np.clip(gap.mean(), -_LIGHT, _LIGHT)).mean())


def find(hashes: Hashes, grids: NDArray[np.uint8], radius: int, colour: float) -> Pairs:
    """Pairs of positions [n, 2], i < j, in order: articles whose hashes differ in at most `radius` bits and whose
    `grids`, uint8 [*, GRID * GRID, 3], differ by at most `colour`."""
    pairs = same_shape(hashes, radius)
    agree = [difference(grids[i], grids[j]) <= colour for i, j in pairs.tolist()]
    return pairs[np.array(agree, bool)]


def one_picture(a: int, b: int, grids: tuple[Grid, Grid], radius: int) -> bool:
    """Whether two pictures of people are one photo: their hashes `a` and `b` differ in at most `radius` bits, and no
    cell of their grids in more than a compression changes. Another face in the same pose is another photo."""
    return (a ^ b).bit_count() <= radius and int(np.abs(grids[0].astype(np.int16) - grids[1]).max()) <= _COMPRESSED


def same_shape(hashes: Hashes, radius: int) -> Pairs:
    """Pairs of positions [n, 2], i < j, in order, whose hashes differ in at most `radius` bits, of any colours."""
    return hamming.gathered(hamming.within(hashes, radius))
