"""The layers of StyleGAN2 (Karras et al., arXiv 1912.04958): equalised learning rates, modulated convolutions, blurs.

Parameters are stored as N(0, 1) over their layer's multiplier, and scaled when they are used. Leaky ReLUs have slope
0.2 and gain sqrt(2), which commutes with them and goes into what is added up before: one pass over a map less.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.engine.rng import noise_like
from curate.train.networks.blocks import without_autocast

SLOPE = 0.2
GAIN = math.sqrt(2.0)  # of a leaky ReLU
EPSILON = 1e-8

Noise = Literal["random", "const", "none"]


def normalised(x: Tensor) -> Tensor:
    """Rows of x [N, C] at a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


def blur_kernel(like: Tensor, gain: float) -> Tensor:
    """[C, 1, 4, 4] for the C channels of `like` [N, C, H, W]: the outer product of (1, 3, 3, 1), summing to `gain`."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=like.device) / 8.0
    kernel = gain * torch.outer(taps, taps)
    return kernel.to(like.dtype).expand(like.shape[1], 1, 4, 4)


def upsample(x: Tensor) -> Tensor:
    """[N, C, H, W] to [N, C, 2H, 2W]: zeros between pixels, then the blur."""
    return F.conv_transpose2d(x, blur_kernel(x, 4.0), stride=2, padding=1, groups=x.shape[1])


def blur(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """x [N, C, H, W], zeros around it, through the blur; every `stride`-th pixel of it."""
    return F.conv2d(x, blur_kernel(x, gain), stride=stride, padding=padding, groups=x.shape[1])


def clamped(x: Tensor, limit: float | None) -> Tensor:
    """x within `limit`; as hardtanh, whose gradient is one pass over a map, where clamp's is four."""
    return x if limit is None else F.hardtanh(x, -limit, limit)


class Dense(nn.Module):
    """A linear layer [N, inputs] -> [N, outputs]; `multiplier` is of its learning rate; "linear" has no activation."""

    def __init__(
        self, inputs: int, outputs: int, *, linear: bool = False, multiplier: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.linear, self.multiplier = linear, multiplier
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))

    def forward(self, x: Tensor) -> Tensor:
        gain = 1.0 if self.linear else GAIN
        scale = gain * self.multiplier / math.sqrt(self.weight.shape[1])
        y = torch.addmm(self.bias, x, self.weight.t(), beta=gain * self.multiplier, alpha=scale)
        return y if self.linear else F.leaky_relu(y, SLOPE)


class Convolution(nn.Module):
    """A convolution of a discriminator: [N, inputs, H, W] -> [N, outputs, H, W], or half the sides with `down`.

    `gain` is beside that of its activation; without `bias` it has no activation.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        down: bool = False,
        bias: bool = True,
        gain: float = 1.0,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.down, self.gain = down, gain
        self.clamp = None if clamp is None else clamp * gain
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        gain = self.gain * (1.0 if self.bias is None else GAIN)
        weight = self.weight * (gain / math.sqrt(self.weight[0].numel()))
        bias = None if self.bias is None else self.bias * gain
        if not self.down:
            y = F.conv2d(x, weight, bias, padding=kernel // 2)
        elif kernel == 1:
            y = F.conv2d(blur(x, 1, stride=2), weight, bias)
        else:
            y = F.conv2d(blur(x, 2), weight, bias, stride=2)
        return y if self.bias is None else clamped(F.leaky_relu(y, SLOPE), self.clamp)


class StyledConvolution(nn.Module):
    """A modulated 3x3 convolution with noise: [N, inputs, H, W] and w [N, w_dim] -> [N, outputs, side, side].

    Section 2.2 of the paper: the style scales the inputs' channels, and each output channel is divided by the norm that
    its weights then have.
    """

    noise_const: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_dim: int, side: int, *, up: bool = False, clamp: float | None = None
    ) -> None:
        super().__init__()
        self.up, self.clamp, self.side = up, clamp, side
        self.affine = Dense(w_dim, inputs, linear=True, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.register_buffer("noise_const", torch.randn(side, side))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Noise) -> Tensor:
        with without_autocast(x):
            styles = self.affine(w)  # [N, inputs]
            norms = styles.square() @ self.weight.square().sum((2, 3)).t()  # [N, outputs]
            scale = GAIN * (norms + EPSILON).rsqrt()
            shift = (GAIN * self.bias)[:, None, None]
            if noise == "random":
                shift = shift + GAIN * self.noise_strength * noise_like(x.new_empty(len(x), 1, self.side, self.side))
            elif noise == "const":
                shift = shift + GAIN * self.noise_strength * self.noise_const
            modulated = x * styles[:, :, None, None].to(x.dtype)
        if self.up:
            y = blur(F.conv_transpose2d(modulated, self.weight.transpose(0, 1), stride=2), 1, gain=4.0)
        else:
            y = F.conv2d(modulated, self.weight, padding=1)
        y = torch.addcmul(shift.to(y.dtype), y, scale[:, :, None, None].to(y.dtype))
        return clamped(F.leaky_relu(y, SLOPE), self.clamp)


class ToRGB(nn.Module):
    """[N, inputs, H, W] and w [N, w_dim] -> colours [N, 3, H, W], fp32: modulated by 1x1, not demodulated."""

    def __init__(self, inputs: int, w_dim: int, *, clamp: float | None = None) -> None:
        super().__init__()
        self.clamp = clamp
        self.affine = Dense(w_dim, inputs, linear=True, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        with without_autocast(x):
            styles = self.affine(w) / math.sqrt(self.weight.shape[1])
            weight = styles[:, None] * self.weight.flatten(1)  # [N, 3, inputs]
            colours = torch.baddbmm(self.bias[:, None].to(x.dtype), weight.to(x.dtype), x.flatten(2))
            return clamped(colours.unflatten(2, x.shape[2:]), self.clamp).float()
