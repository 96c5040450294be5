"""Augmentation, batched on the device: images float32 [N, 3, H, W] in [-1, 1] in and out.

Random choices are drawn on the CPU from a generator that is handed in, so that every device sees the same ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def resize(images: Tensor, height: int, width: int | None = None) -> Tensor:
    """`images` at exactly `height` x `width`, square without a width, bicubic and antialiased as Pillow does it.

    The aspect is not kept.
    """
    size = (height, width or height)
    if images.shape[-2:] == size:
        return images
    small = F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(-1.0, 1.0)  # bicubic overshoots at edges; 8-bit images can't


def crop_and_flip(images: Tensor, side: int, flip: float, draws: Generator, width: int | None = None) -> Tensor:
    """A `side` x `side` window of each image at a uniformly random place, mirrored with probability `flip`.

    With a `width`, the window is `side` high and so wide.
    """
    count, _, height, full = images.shape
    width = width or side
    top = torch.randint(height - side + 1, (count, 1, 1), generator=draws)
    left = torch.randint(full - width + 1, (count, 1, 1), generator=draws)
    mirrored = torch.rand(count, 1, 1, generator=draws) < flip
    across = torch.arange(width)
    rows = (top + torch.arange(side)[:, None]).to(images.device)
    columns = (left + torch.where(mirrored, across.flip(0), across)).to(images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2).contiguous()


def mirror(images: Tensor, chosen: Tensor) -> Tensor:
    """`images` [N, C, H, W], those that are `chosen`, bool [N], mirrored left to right."""
    return torch.where(chosen.to(images.device)[:, None, None, None], images.flip(3), images)
