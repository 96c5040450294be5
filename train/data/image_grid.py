"""Grids of images on white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from curate.pipeline.imaging.codec import RGB
from curate.train.data.transforms import to_uint8

GAP = 2  # px of white between pictures


def grid(*groups: list[Tensor], labels: Sequence[Sequence[str]] = ()) -> RGB:
    """Columns of images [N, 3, H, W] in [-1, 1] side by side on white, groups set apart by a wider gap.

    N may differ between groups. `labels` are for each group what stands above its columns, in ASCII; "" for nothing.
    """
    blocks = [torch.cat([_framed(to_uint8(column)) for column in group], dim=1) for group in groups]
    height = max(len(block) for block in blocks)
    width = sum(block.shape[1] for block in blocks) + 4 * GAP * (len(blocks) - 1)
    picture = torch.full((height, width, 3), 255, dtype=torch.uint8)
    left = 0
    lefts: list[int] = []
    for group, block in zip(groups, blocks, strict=True):
        picture[: len(block), left : left + block.shape[1]] = block
        lefts += [left + n * block.shape[1] // len(group) for n in range(len(group))]
        left += block.shape[1] + 4 * GAP
    shown: RGB = picture.numpy()
    if not labels:
        return shown
    side = groups[0][0].shape[-1]
    words = [label for group in labels for label in group]
    return np.concatenate([_header(dict(zip(lefts, words, strict=True)), side, width), shown])


def _header(labels: Mapping[int, str], side: int, width: int) -> RGB:
    """A line of `labels`, by the px where each begins, above pictures of `side` px; as large as the longest fits."""
    font, scale = cv2.FONT_HERSHEY_PLAIN, max(0.75, side / 160)
    longest = max(cv2.getTextSize(label, font, scale, 1)[0][0] for label in labels.values())
    scale *= min(1.0, side / max(longest, 1))
    line = np.full((round(18 * max(scale, 0.75)), width, 3), 255, np.uint8)
    for left, label in labels.items():
        cv2.putText(line, label, (left + GAP, len(line) - 4), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return line


def _framed(column: Tensor) -> Tensor:
    """uint8 [N, H, W, 3] as one column [N * (H + 2 * GAP), W + 2 * GAP, 3]."""
    count, height, width, _ = column.shape
    canvas = torch.full((count, height + 2 * GAP, width + 2 * GAP, 3), 255, dtype=torch.uint8)
    canvas[:, GAP:-GAP, GAP:-GAP] = column
    return canvas.flatten(0, 1)
