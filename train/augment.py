"""Augmentation, batched on the device: images float32 [N, 3, H, W] in [-1, 1] in and out.

Random choices are drawn on the CPU from a generator that is handed in, so that every device sees the same ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def resize(images: Tensor, side: int) -> Tensor:
    """`images` at exactly `side` x `side`, bicubic and antialiased as Pillow does it; the aspect is not kept."""
    if images.shape[-2:] == (side, side):
        return images
    small = F.interpolate(images, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    return small.clamp(-1.0, 1.0)  # bicubic overshoots at edges; 8-bit images can't


def crop_and_flip(images: Tensor, side: int, flip: float, draws: Generator) -> Tensor:
    """A `side` x `side` window of each image at a uniformly random place, mirrored with probability `flip`."""
    count, _, height, width = images.shape
    top = torch.randint(height - side + 1, (count, 1, 1), generator=draws)
    left = torch.randint(width - side + 1, (count, 1, 1), generator=draws)
    mirrored = torch.rand(count, 1, 1, generator=draws) < flip
    at = torch.arange(side)
    rows = (top + at[:, None]).to(images.device)
    columns = (left + torch.where(mirrored, at.flip(0), at)).to(images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2).contiguous()
