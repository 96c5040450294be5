"""Affine warps of images without aliasing, with gradients of gradients.

Karras et al., Training Generative Adversarial Networks with Limited Data (2020), appendix B: images are mirrored at
their edges, enlarged twofold, sampled linearly, and made smaller again, both by the wavelet sym6.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SYM6 = (  # the scaling filter of Daubechies' least asymmetric wavelet with 6 vanishing moments
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
BORDER = len(SYM6) // 4  # px that the filter needs beyond the image


def warp(images: Tensor, inverse: Tensor) -> Tensor:
    """fp32 [N, C, H, W], of which each pixel is that of `images` at the place that `inverse` leads it to.

    `inverse` [N, 3, 3], on the CPU, works on (right, down, 1) in px from the images' middle.
    """
    _, channels, height, width = images.shape
    left, right, top, bottom = _margins(inverse, height, width)
    padded = F.pad(images.float(), (left, right, top, bottom), mode="reflect")
    inverse = _shift((left - right) / 2, (top - bottom) / 2) @ inverse
    taps = torch.tensor(SYM6, device=images.device)
    with torch.autocast(images.device.type, enabled=False):
        enlarged = _enlarged(padded, taps / taps.sum())
        # A pixel of twice the density has its centre a quarter of the old one's side off.
        inverse = _shift(-0.5, -0.5) @ _scale(2.0, 2.0) @ inverse @ _scale(0.5, 0.5) @ _shift(0.5, 0.5)
        sides = [2 * (height + 2 * BORDER), 2 * (width + 2 * BORDER)]
        inverse = _scale(2.0 / enlarged.shape[3], 2.0 / enlarged.shape[2]) @ inverse
        inverse = inverse @ _scale(sides[1] / 2.0, sides[0] / 2.0)
        places = F.affine_grid(inverse[:, :2].to(images.device), [len(images), channels, *sides], align_corners=False)
        return _reduced(_Sampled.apply(enlarged, places), taps / taps.sum())


def _margins(inverse: Tensor, height: int, width: int) -> tuple[int, int, int, int]:
    """How far beyond its left, right, upper and lower edge an image is looked at, px: less than its sides."""
    x, y = (width - 1) / 2, (height - 1) / 2
    corners = torch.tensor([[-x, x, x, -x], [-y, -y, y, y], [1.0, 1.0, 1.0, 1.0]])
    reached = (inverse @ corners)[:, :2].transpose(0, 1).flatten(1)  # [2, 4 N]
    least, most = reached.amin(1).tolist(), reached.amax(1).tolist()
    far = (-least[0] - x, most[0] - x, -least[1] - y, most[1] - y)
    return (
        _whole(far[0] + 2 * BORDER, width),
        _whole(far[1] + 2 * BORDER, width),
        _whole(far[2] + 2 * BORDER, height),
        _whole(far[3] + 2 * BORDER, height),
    )


def _whole(margin: float, length: int) -> int:
    return math.ceil(min(max(margin, 0.0), length - 1))


def _enlarged(images: Tensor, taps: Tensor) -> Tensor:
    """[N, C, H, W] to [N, C, 2H, 2W]."""
    channels, pad = images.shape[1], len(taps) // 2 - 1
    across, down = (2.0 * taps.view(shape).expand(channels, 1, -1, -1) for shape in ((1, -1), (-1, 1)))
    wide = F.conv_transpose2d(images, across, stride=(1, 2), padding=(0, pad), groups=channels)
    return F.conv_transpose2d(wide, down, stride=(2, 1), padding=(pad, 0), groups=channels)


def _reduced(images: Tensor, taps: Tensor) -> Tensor:
    """[N, C, 2H + 4 BORDER, 2W + 4 BORDER] to [N, C, H, W], its middle."""
    channels = images.shape[1]
    across, down = (taps.view(shape).expand(channels, 1, -1, -1) for shape in ((1, -1), (-1, 1)))
    narrow = F.conv2d(images[:, :, 1:-1, 1:-1], across, stride=(1, 2), groups=channels)
    return F.conv2d(narrow, down, stride=(2, 1), groups=channels)


def _shift(right: float, down: float) -> Tensor:
    return torch.tensor([[1.0, 0.0, right], [0.0, 1.0, down], [0.0, 0.0, 1.0]])


def _scale(across: float, down: float) -> Tensor:
    return torch.diag(torch.tensor([across, down, 1.0]))


class _Sampled(torch.autograd.Function):
    """F.grid_sample, linear in its images; torch's own has no second derivative. Places get no gradient."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.shape = images.shape
        return F.grid_sample(images, places, align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        made: Tensor = _SampledBackward.apply(gradients[0], places, ctx.shape)
        return made, None


class _SampledBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, places: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(places)
        unread = gradient.new_empty(1).expand(shape)
        bilinear, zeros = 0, 0
        made: Tensor = torch.ops.aten.grid_sampler_2d_backward(
            gradient, unread, places, bilinear, zeros, False, (True, False)
        )[0]
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        made: Tensor = _Sampled.apply(gradients[0], places)
        return made, None, None
