"""The bounded picture that every detector looks at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def bounded(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """`picture` [height, width, ...] with its longer side at most `side`, and its scale (small px per raw px)."""
    height, width = picture.shape[:2]
    scale = min(side / max(height, width), 1.0)
    if scale < 1:
        shape = max(round(width * scale), 1), max(round(height * scale), 1)
        picture = np.asarray(cv2.resize(picture, shape, interpolation=cv2.INTER_AREA), np.uint8)
    return picture, scale


def grey(image: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """The luma of an RGB `image`, bounded, and its scale."""
    return bounded(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), side)
