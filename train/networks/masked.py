"""Generators that paint through a mask, so that what they leave alone keeps the pixels of its photo.

Mejjati et al., Unsupervised Attention-guided Image-to-Image Translation (2018); Tang et al., AttentionGAN (2019).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

PAINT = 3  # channels, before the mask's one
REACH = 0.1  # beyond 0 and 1, so that a mask is shut and open at last


class Painted(NamedTuple):
    """What a generator makes of images [N, 3, H, W] in [-1, 1]."""

    image: Tensor  # [N, 3, H, W] in [-1, 1]: the images where the mask is 0, the paint where it is 1
    mask: Tensor | None = None  # [N, 1, H, W] in [0, 1]; None: of a generator that paints all
    paint: Tensor | None = None  # [N, 3, H, W] in [-1, 1]

    def chunk(self) -> tuple[Painted, Painted]:
        """Of two batches that were one: the first half, and the second."""
        parts = [(None, None) if part is None else part.chunk(2) for part in self]
        first, second = zip(*parts, strict=True)
        return Painted(*first), Painted(*second)


class MaskedGenerator(nn.Module):
    """`body`, which gives four raw channels of the images' size, as paint and as the mask through which it is seen."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Painted:
        return painted(self.body(images), images)


def painted(raw: Tensor, images: Tensor) -> Painted:
    """`images` [N, 3, H, W] in [-1, 1] under what a network painted on them: `raw` [N, 4, H, W], paint and mask."""
    raw = raw.float()
    paint, mask = torch.tanh(raw[:, :PAINT]), _opened(raw[:, PAINT:])
    return Painted(torch.lerp(images.float(), paint, mask), mask, paint)


def _opened(raw: Tensor) -> Tensor:
    """A sigmoid that reaches 0 and 1, and has its slope there, too: what is shut can open again."""
    soft = torch.sigmoid(raw)
    reached = (soft * (1 + 2 * REACH) - REACH).clamp(0.0, 1.0)
    return soft + (reached - soft).detach()


def as_painted(made: Tensor | Painted) -> Painted:
    """What any generator made, with a mask or without one."""
    return Painted(made) if isinstance(made, Tensor) else made
