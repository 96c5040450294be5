"""StyleGAN2's discriminator: residual blocks down to 4 px, and how much the images of a batch differ."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from curate.train.networks.blocks import without_autocast
from curate.train.recipes.stylegan2.layers import EPSILON, Convolution, Dense
from curate.train.recipes.stylegan2.networks import SMALLEST, Mapping, channels, is_half, sides


class Block(nn.Module):
    """[N, inputs, H, W] -> [N, outputs, H/2, W/2]; the first one takes images, of which it makes `inputs` channels."""

    def __init__(self, inputs: int, outputs: int, clamp: float | None, *, first: bool, residual: bool) -> None:
        super().__init__()
        if first:
            self.fromrgb = Convolution(3, inputs, 1, clamp=clamp)
        self.conv0 = Convolution(inputs, inputs, 3, clamp=clamp)
        gain = math.sqrt(0.5) if residual else 1.0  # so that the sum of both ways has the variance of each
        self.conv1 = Convolution(inputs, outputs, 3, down=True, gain=gain, clamp=clamp)
        if residual:
            self.skip = Convolution(inputs, outputs, 1, down=True, bias=False, gain=gain)
        self.first, self.residual = first, residual

    def forward(self, x: Tensor) -> Tensor:
        x = self.fromrgb(x) if self.first else x
        y = self.conv1(self.conv0(x))
        return self.skip(x) + y if self.residual else y


def differences(x: Tensor, group: int, compared: int | None = None) -> Tensor:
    """[N, 1, H, W]: the mean standard deviation over groups of `group` maps [N, C, H, W], or fewer where N wants it.

    Of the N / group groups, map n belongs to number n modulo N / group; Karras et al., arXiv 1710.10196, section 3.
    `compared` stands for N where several batches of so many images take turns in x.
    """
    count = len(x)
    whole = compared or count
    size = next(size for size in range(min(group, whole), 0, -1) if whole % size == 0)
    grouped = x.reshape(size, count // size, *x.shape[1:])
    deviation = ((grouped - grouped.mean(0)).square().mean(0) + EPSILON).sqrt()
    return deviation.mean((1, 2, 3)).repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:])


class Head(nn.Module):
    """[N, C, 4, 4] -> [N, outputs], fp32."""

    def __init__(self, inputs: int, outputs: int, group: int, clamp: float | None) -> None:
        super().__init__()
        self.group = group
        self.conv = Convolution(inputs + 1, inputs, 3, clamp=clamp)
        self.fc = Dense(inputs * SMALLEST**2, inputs)
        self.out = Dense(inputs, outputs, linear=True)

    def forward(self, x: Tensor, compared: int | None = None) -> Tensor:
        seen = torch.cat((x, differences(x, self.group, compared)), 1)
        scores: Tensor = self.out(self.fc(self.conv(seen).flatten(1)))
        return scores


class Discriminator(nn.Module):
    """Images [N, 3, resolution, resolution], and labels [N, c_dim] -> scores [N, 1], positive for real.

    `compared`: how many of the images are of one kind, where kinds take turns; others are not compared with them.
    """

    def __init__(
        self,
        resolution: int,
        *,
        c_dim: int = 0,
        channel_base: int = 32768,
        channel_max: int = 512,
        mapping_layers: int = 8,
        group_size: int = 4,
        residual: bool = True,
        conv_clamp: float | None = None,
        half_levels: int = 0,
    ) -> None:
        super().__init__()
        self.resolution, self.c_dim, self.half_levels = resolution, c_dim, half_levels
        self.sides = tuple(reversed([side for side in sides(resolution) if side > SMALLEST]))
        for side in self.sides:
            inputs, outputs = (channels(s, channel_base, channel_max) for s in (side, side // 2))
            first = side == resolution
            self.add_module(f"b{side}", Block(inputs, outputs, conv_clamp, first=first, residual=residual))
        last = channels(SMALLEST, channel_base, channel_max)
        if c_dim:
            self.mapping = Mapping(0, c_dim, last, mapping_layers)
        self.b4 = Head(last, last if c_dim else 1, group_size, conv_clamp)

    def forward(self, images: Tensor, labels: Tensor | None = None, compared: int | None = None) -> Tensor:
        x = images
        for side in self.sides:
            half = is_half(side, self.resolution, self.half_levels)
            with nullcontext() if half else without_autocast(images):
                x = self.get_submodule(f"b{side}")(x if half else x.float())
        with without_autocast(images):
            scores = self.b4(x.float(), compared)
            if not self.c_dim:
                return scores
            wanted = self.mapping.styles(None, labels)
            return (scores * wanted).sum(1, keepdim=True) / math.sqrt(wanted.shape[1])
