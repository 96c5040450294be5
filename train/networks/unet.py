"""A generator for few pixels' price: it works on blocks of 2x2 px, most of all where the maps are small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import ResnetBlock, init_normal, instance_norm, relu

BLOCK = 2  # px, side of the blocks whose pixels become channels, and of those that it gives
LEAST = 16  # px, of which the sides are made multiples: the smallest map is so much smaller


class UNetGenerator(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to maps [N, outputs, H, W], raw values; sides of 32 px and more.

    Blocks of 2x2 px become channels (Shi et al., 2016), three halvings follow, `blocks` residual blocks at 1/8 and as
    many at 1/16 of the side, which see all of a face, and on the way up each map is joined by that of its size from
    the way down (Ronneberger et al., 2015), so that edges stand where the image has them. The last layer's weights
    begin alike for the pixels of a block, which leaves no checkerboard (Aitken et al., 2017).
    """

    def __init__(self, width: int = 16, blocks: int = 1, outputs: int = 3) -> None:
        super().__init__()
        fine, middle, coarse = width, width * 3, width * 9 // 2
        self.stem = _conv(3 * BLOCK**2, fine)
        self.down = nn.ModuleList(
            [
                nn.Sequential(*_conv(fine, middle, stride=2), *_conv(middle, middle)),
                nn.Sequential(*_conv(middle, coarse, stride=2), *_blocks(coarse, blocks)),
            ]
        )
        self.bottom = nn.Sequential(*_conv(coarse, coarse, stride=2), *_blocks(coarse, blocks))
        self.up = nn.ModuleList(
            [_conv(2 * coarse, coarse), _conv(coarse + middle, middle), _conv(middle + fine, width * 3 // 2)]
        )
        self.head = nn.Conv2d(width * 3 // 2, outputs * BLOCK**2, 3, padding=1, padding_mode="reflect")
        init_normal(self)
        with torch.no_grad():
            self.head.weight.copy_(self.head.weight[:: BLOCK**2].repeat_interleave(BLOCK**2, 0))

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % LEAST, 0, -height % LEAST), mode="reflect")
        skips = [self.stem(F.pixel_unshuffle(padded, BLOCK))]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        h = self.bottom(skips[-1])
        for layer in self.up:
            h = layer(torch.cat((F.interpolate(h, scale_factor=2.0, mode="nearest"), skips.pop()), 1))
        return F.pixel_shuffle(self.head(h), BLOCK)[:, :, :height, :width]


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, instance_norm(outputs), relu())


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ResnetBlock(channels, bias=False) for _ in range(count)]
