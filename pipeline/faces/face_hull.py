"""Where the face is in a crop: a soft mask from its 68 landmarks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging.geometry import Points

FEATHER = 1 / 32  # of the crop's side: standard deviation of the mask's edge


def draw(points: Points, side: int) -> NDArray[np.float32]:
    """The convex hull of `points` [68, 2], px of a crop of `side`, with soft edges: float32 [side, side].

    1 within, 0 without; of points that are not finite it is empty. The 68 points end at the brows, so that hair on the
    forehead is free.
    """
    canvas = np.zeros((side, side), np.float32)
    if np.isfinite(points).all():
        hull = cv2.convexHull(np.round(points).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, 1.0)
        cv2.GaussianBlur(canvas, (0, 0), side * FEATHER, dst=canvas, borderType=cv2.BORDER_CONSTANT)
    return canvas
