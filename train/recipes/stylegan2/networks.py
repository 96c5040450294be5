"""StyleGAN2's generator: a mapping from noise to styles, and a synthesis of pictures from styles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from curate.train.networks.blocks import without_autocast
from curate.train.recipes.stylegan2.layers import Dense, Noise, StyledConvolution, ToRGB, normalised, upsample

SMALLEST = 4  # px, side of the map that everything begins with
MAPPING_RATE = 0.01  # the mapping's learning rate beside the others'; Karras et al., arXiv 1812.04948, appendix C


def sides(resolution: int) -> Iterator[int]:
    """4, 8, ... `resolution`, px."""
    side = SMALLEST
    while side <= resolution:
        yield side
        side *= 2


def channels(side: int, base: int, most: int) -> int:
    """Of maps of `side` px."""
    return min(base // side, most)


def is_half(side: int, resolution: int, half_levels: int) -> bool:
    """Whether maps of `side` px are among the `half_levels` highest resolutions, for which alone autocast is."""
    return side * 2**half_levels > resolution


class Mapping(nn.Module):
    """z [N, z_dim] and labels [N, c_dim] -> w [N, w_dim]; without z_dim, of labels alone."""

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim
        inputs = z_dim + (w_dim if c_dim else 0)
        if c_dim:
            self.embed = Dense(c_dim, w_dim, linear=True)
        self.layers = layers
        for number in range(layers):
            self.add_module(f"fc{number}", Dense(inputs if number == 0 else w_dim, w_dim, multiplier=MAPPING_RATE))

    def styles(self, z: Tensor | None, labels: Tensor | None) -> Tensor:
        """w [N, w_dim], fp32. Raises ValueError for labels of another shape than the network's."""
        with without_autocast(self.get_submodule("fc0").get_parameter("weight")):
            parts = [] if z is None else [normalised(z.float())]
            if self.c_dim:
                if labels is None or labels.shape[1:] != (self.c_dim,):
                    raise ValueError(
                        f"labels: {None if labels is None else tuple(labels.shape)}, not [N, {self.c_dim}]"
                    )
                parts.append(normalised(self.embed(labels.float())))
            x = torch.cat(parts, 1)
            for number in range(self.layers):
                x = self.get_submodule(f"fc{number}")(x)
            return x


class StyleMapping(Mapping):
    """The mapping of a generator: a w for each of its `num_ws` layers, and the mean of all w's that training saw."""

    w_avg: Tensor

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int, num_ws: int) -> None:
        super().__init__(z_dim, c_dim, w_dim, layers)
        self.num_ws = num_ws
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, labels: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [N, num_ws, w_dim]; the first `cutoff` of them, or all, at the share `psi` of the way from w_avg."""
        ws = self.styles(z, labels)[:, None].repeat(1, self.num_ws, 1)
        if psi == 1.0:
            return ws
        near = self.w_avg.lerp(ws, psi)
        return near if cutoff is None else torch.cat((near[:, :cutoff], ws[:, cutoff:]), 1)

    @torch.no_grad()
    def follow(self, w: Tensor, decay: float) -> None:
        """Moves w_avg towards the mean of w [N, w_dim]."""
        self.w_avg.copy_(w.mean(0).lerp(self.w_avg, decay))


class SynthesisBlock(nn.Module):
    """One resolution: a convolution that doubles the sides but at 4 px, another one, and colours."""

    def __init__(self, inputs: int, outputs: int, w_dim: int, side: int, clamp: float | None) -> None:
        super().__init__()
        if inputs:
            self.conv0 = StyledConvolution(inputs, outputs, w_dim, side, up=True, clamp=clamp)
        else:
            self.const = nn.Parameter(torch.randn(outputs, side, side))
        self.conv1 = StyledConvolution(outputs, outputs, w_dim, side, clamp=clamp)
        self.torgb = ToRGB(outputs, w_dim, clamp=clamp)
        self.convolutions = 2 if inputs else 1

    def forward(self, x: Tensor | None, ws: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """The next map, and colours [N, 3, side, side]; ws [N, convolutions + 1, w_dim]."""
        x = self.const.expand(len(ws), -1, -1, -1) if x is None else self.conv0(x, ws[:, 0], noise)
        x = self.conv1(x, ws[:, -2], noise)
        return x, self.torgb(x, ws[:, -1])


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] -> pictures [N, 3, resolution, resolution], about [-1, 1] and not bounded.

    Architecture "skip" of arXiv 1912.04958, section 4.1. The colours of a block share their w with the first
    convolution of the next one.
    """

    def __init__(
        self, w_dim: int, resolution: int, base: int, most: int, clamp: float | None, half_levels: int
    ) -> None:
        super().__init__()
        self.sides, self.half_levels, inputs = tuple(sides(resolution)), half_levels, 0
        for side in self.sides:
            outputs = channels(side, base, most)
            self.add_module(f"b{side}", SynthesisBlock(inputs, outputs, w_dim, side, clamp))
            inputs = outputs
        self.num_ws = 2 * len(self.sides)

    def forward(self, ws: Tensor, noise: Noise = "random") -> Tensor:
        x, image, first = None, None, 0
        for side in self.sides:
            block: Any = self.get_submodule(f"b{side}")
            half = is_half(side, self.sides[-1], self.half_levels)
            with nullcontext() if half else without_autocast(ws):
                x, colours = block(x, ws[:, first : first + block.convolutions + 1], noise)
            with without_autocast(ws):
                image = colours if image is None else upsample(image) + colours
            first += block.convolutions
        assert image is not None
        return image


class Generator(nn.Module):
    """z [N, z_dim] -> pictures [N, 3, resolution, resolution], by way of ws [N, num_ws, w_dim]."""

    def __init__(
        self,
        resolution: int,
        *,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        mapping_layers: int = 8,
        channel_base: int = 32768,
        channel_max: int = 512,
        conv_clamp: float | None = None,
        half_levels: int = 0,
    ) -> None:
        super().__init__()
        self.resolution, self.z_dim, self.c_dim, self.w_dim = resolution, z_dim, c_dim, w_dim
        self.synthesis = Synthesis(w_dim, resolution, channel_base, channel_max, conv_clamp, half_levels)
        self.num_ws = self.synthesis.num_ws
        self.mapping = StyleMapping(z_dim, c_dim, w_dim, mapping_layers, self.num_ws)

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise: Noise = "const",
    ) -> Tensor:
        pictures: Tensor = self.synthesis(self.mapping(z, labels, psi, cutoff), noise)
        return pictures
