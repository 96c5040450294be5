"""Grids of images on white."""

from __future__ import annotations

import torch
from torch import Tensor

from curate.pipeline.imaging.codec import RGB
from curate.train.data.transforms import to_uint8

GAP = 2  # px of white between pictures


def grid(*groups: list[Tensor]) -> RGB:
    """Columns of images [N, 3, H, W] in [-1, 1] side by side on white, groups set apart by a wider gap.

    N may differ between groups.
    """
    blocks = [torch.cat([_framed(to_uint8(column)) for column in group], dim=1) for group in groups]
    height = max(len(block) for block in blocks)
    width = sum(block.shape[1] for block in blocks) + 4 * GAP * (len(blocks) - 1)
    picture = torch.full((height, width, 3), 255, dtype=torch.uint8)
    left = 0
    for block in blocks:
        picture[: len(block), left : left + block.shape[1]] = block
        left += block.shape[1] + 4 * GAP
    shown: RGB = picture.numpy()
    return shown


def _framed(column: Tensor) -> Tensor:
    """uint8 [N, H, W, 3] as one column [N * (H + 2 * GAP), W + 2 * GAP, 3]."""
    count, height, width, _ = column.shape
    canvas = torch.full((count, height + 2 * GAP, width + 2 * GAP, 3), 255, dtype=torch.uint8)
    canvas[:, GAP:-GAP, GAP:-GAP] = column
    return canvas.flatten(0, 1)
