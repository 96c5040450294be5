"""A generator that is shown the face once more on its way up, so that it can keep it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curate.train.networks.blocks import ResnetBlock, init_normal, instance_norm, relu


class FaceGenerator(nn.Module):
    """CycleGAN's generator with a U-Net-like path for the face: [N, 3, H, W] in [-1, 1] and its mask [N, 1, H, W].

    The image times the mask goes through three convolutions, whose outputs join the generator's before its residual
    blocks and after each enlargement. H and W are multiples of 4.
    """

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        w, f = width, width // 2
        self.face = nn.ModuleList((_first(3, f), _down(f, 2 * f), _down(2 * f, 4 * f)))  # 97,088 parameters at width 64
        self.encoder = nn.Sequential(_first(3, w), _down(w, 2 * w), _down(2 * w, 4 * w))
        self.merge = nn.Conv2d(4 * w + 4 * f, 4 * w, 1)
        self.blocks = nn.Sequential(*(ResnetBlock(4 * w) for _ in range(blocks)))
        self.up = nn.ModuleList((_same(4 * w + 2 * f, 2 * w), _same(2 * w + f, w)))
        self.out = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7), nn.Tanh())
        init_normal(self)

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        skips = [images * masks]
        for layer in self.face:
            skips.append(layer(skips[-1]))
        h = self.blocks(self.merge(torch.cat((self.encoder(images), skips.pop()), 1)))
        for layer in self.up:
            h = layer(torch.cat((F.interpolate(h, scale_factor=2.0, mode="nearest"), skips.pop()), 1))
        return self.out(h)


def _normed(conv: nn.Conv2d) -> tuple[nn.Module, nn.Module, nn.Module]:
    return conv, instance_norm(conv.out_channels), relu()


def _first(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ReflectionPad2d(3), *_normed(nn.Conv2d(inputs, outputs, 7)))


def _down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_normed(nn.Conv2d(inputs, outputs, 3, 2, 1)))


def _same(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ReflectionPad2d(1), *_normed(nn.Conv2d(inputs, outputs, 3)))
