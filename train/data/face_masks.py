"""Where the face is in a crop: a soft mask from its landmarks, drawn when a batch needs it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.faces import face_hull
from curate.pipeline.tables.schema import POINTS


def landmarks(rows: list[list[float] | None]) -> Tensor:
    """The landmarks of each crop, flat (x, y) in crop px, as float32 [N, 68, 2]; NaN for a crop without any."""
    points = torch.full((len(rows), POINTS, 2), torch.nan)
    for i, row in enumerate(rows):
        if row is not None and len(row) == 2 * POINTS:
            points[i] = torch.tensor(row).view(POINTS, 2)
    return points


def masks(points: Tensor, side: int) -> Tensor:
    """The hulls of `points` [N, 68, 2], px of crops of `side`, as face_hull draws them: float32 [N, 1, side, side]."""
    drawn = [face_hull.draw(face, side) for face in points.numpy()]
    return torch.from_numpy(np.stack(drawn) if drawn else np.zeros((0, side, side), np.float32))[:, None]
