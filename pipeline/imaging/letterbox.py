"""Whole pictures in the middle of a square, nothing cut off: the map and the pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.config import Letterbox
from curate.pipeline.imaging.geometry import Affine


def fitted(width: int, height: int, size: int) -> tuple[slice, slice]:
    """The rows and columns of a `size` x `size` square that a `width` x `height` picture fills."""
    scale = size / max(width, height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - w) // 2, (size - h) // 2
    return slice(top, top + h), slice(left, left + w)


def affine(width: int, height: int, size: int) -> Affine:
    """The map of a `width` x `height` picture into the middle of a `size` x `size` square.

    [2, 3], raw px -> square px, index coordinates. The ratio is kept to the nearest pixel.
    """
    rows, columns = fitted(width, height, size)
    found = np.zeros((2, 3))
    for axis, (raw, place) in enumerate(((width, columns), (height, rows))):
        ratio = (place.stop - place.start) / raw
        found[axis, axis] = ratio
        found[axis, 2] = (ratio - 1) / 2 + place.start
    return found


def boxed(rgb: RGB, box: Letterbox) -> RGB:
    """`rgb`, uint8 [H, W, 3], in the middle of `box`: uint8 [size, size, 3]."""
    size = box.size
    height, width = rgb.shape[:2]
    rows, columns = fitted(width, height, size)
    shrinks = max(width, height) > size
    inner = (columns.stop - columns.start, rows.stop - rows.start)
    square: NDArray[np.uint8] = np.full((size, size, 3), box.background, np.uint8)
    square[rows, columns] = cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return square
