"""Where the face is in a crop: a soft mask from its landmarks, drawn when a batch needs it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.pipeline.tables.schema import POINTS

FEATHER = 1 / 32  # of the crop's side: standard deviation of the mask's edge


def landmarks(rows: list[list[float] | None]) -> Tensor:
    """The landmarks of each crop, flat (x, y) in crop px, as float32 [N, 68, 2]; NaN for a crop without any."""
    points = torch.full((len(rows), POINTS, 2), torch.nan)
    for i, row in enumerate(rows):
        if row is not None and len(row) == 2 * POINTS:
            points[i] = torch.tensor(row).view(POINTS, 2)
    return points


def masks(points: Tensor, side: int) -> Tensor:
    """The convex hulls of `points` [N, 68, 2], px of crops of `side`, with soft edges: float32 [N, 1, side, side].

    1 within, 0 without; a crop whose points are not there has an empty mask. The 68 points end at the brows, so that
    hair on the forehead is free.
    """
    drawn = np.zeros((len(points), side, side), np.float32)
    for canvas, face in zip(drawn, points.numpy(), strict=True):
        if np.isfinite(face).all():
            hull = cv2.convexHull(np.round(face).astype(np.int32))
            cv2.fillConvexPoly(canvas, hull, 1.0)
            cv2.GaussianBlur(canvas, (0, 0), side * FEATHER, dst=canvas, borderType=cv2.BORDER_CONSTANT)
    return torch.from_numpy(drawn)[:, None]
