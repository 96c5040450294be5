"""A generator for few pixels' price: it works on blocks of 2x2 px, most of all where the maps are small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import ResnetBlock, init_normal, instance_norm, relu

BLOCK = 2  # px, side of the blocks whose pixels become channels, and of those that it gives
LEAST = 16  # px, of which the sides are made multiples: the smallest map is so much smaller
PLACES = 32  # a side, from which colours are taken at most: a whole photo has too many to look at all from all
SHARPNESS = 4.0  # of the choice among them at first
TINT = 0.2  # how much of another colour can come to those, beside light and shade
WHITEST = 0.97  # of [-1, 1]: beyond, tanh has no slope


class UNetGenerator(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to raw channels [N, 3 + more, H, W] from 32 px a side on, before a tanh.

    Blocks of 2x2 px become channels (Shi et al., 2016), three halvings follow, `blocks` residual blocks at 1/8 and as
    many at 1/16 of the side, which see all of a face, and on the way up each map is joined by that of its size from
    the way down (Ronneberger et al., 2015), so that edges stand where the image has them. What is painted begins from
    colours that the image itself has elsewhere, hair from hair, a backdrop from the backdrop; to which come light and
    shade, and little of other colours.
    """

    def __init__(self, width: int = 16, blocks: int = 1, more: int = 0) -> None:
        super().__init__()
        fine, middle, coarse, last = width, width * 3, width * 9 // 2, width * 3 // 2
        self.stem = _conv(3 * BLOCK**2, fine)
        self.down = nn.ModuleList(
            [
                nn.Sequential(*_conv(fine, middle, stride=2), *_conv(middle, middle)),
                nn.Sequential(*_conv(middle, coarse, stride=2), *_blocks(coarse, blocks)),
            ]
        )
        self.bottom = nn.Sequential(*_conv(coarse, coarse, stride=2), *_blocks(coarse, blocks))
        self.up = nn.ModuleList([_conv(2 * coarse, coarse), _conv(coarse + middle, middle), _conv(middle + fine, last)])
        self.head = nn.Conv2d(last, (3 + more) * BLOCK**2, 3, padding=1, padding_mode="reflect")
        init_normal(self)
        self.colours = OwnColours(middle)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % LEAST, 0, -height % LEAST), mode="reflect")
        skips = [self.stem(F.pixel_unshuffle(padded, BLOCK))]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        maps = [self.bottom(skips[-1])]
        for layer in self.up:
            maps.append(layer(torch.cat((enlarged(maps[-1], 2), skips.pop()), 1)))
        raw = smoothed(F.pixel_shuffle(self.head(maps[-1]), BLOCK))
        own = enlarged(self.colours(maps[2], padded), 2 * BLOCK).clamp(-WHITEST, WHITEST)
        light = raw[:, :3].mean(1, keepdim=True)
        raw = torch.cat((torch.atanh(own) + light + TINT * (raw[:, :3] - light), raw[:, 3:]), 1)
        return raw[:, :, :height, :width]


class OwnColours(nn.Module):
    """For each place of a map, a mixture of the colours that its image has at other places.

    Which ones, attention says, by what lies there and by where it is. So what is painted has the image's own palette
    from the first step on. After Yu et al., Generative Image Inpainting with Contextual Attention (2018).
    """

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        self.query, self.key = nn.Conv2d(channels + 3, width, 1), nn.Conv2d(channels + 3, width, 1)

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """For `maps` [N, channels, h, w], colours [N, 3, h, w] of `images` [N, 3, H, W]."""
        places = min(maps.shape[2], PLACES), min(maps.shape[3], PLACES)
        source, colours = (F.adaptive_avg_pool2d(one, places) for one in (maps, images))
        query, key = (
            layer(torch.cat((one, positions(one)), 1)).flatten(2).transpose(1, 2)
            for layer, one in ((self.query, maps), (self.key, source))
        )
        values = colours.flatten(2).transpose(1, 2).to(query)
        mixed = F.scaled_dot_product_attention(SHARPNESS * query, key, values)
        return mixed.transpose(1, 2).unflatten(2, maps.shape[2:])


def positions(maps: Tensor) -> Tensor:
    """Where each place is, [N, 3, h, w]: across and down from -1 to 1, and their squares' sum, of which products make
    distances."""
    down, across = (torch.linspace(-1, 1, side, device=maps.device, dtype=maps.dtype) for side in maps.shape[2:])
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    return torch.stack((columns, rows, columns**2 + rows**2)).expand(len(maps), -1, -1, -1)


def enlarged(maps: Tensor, factor: int) -> Tensor:
    """`maps` [N, C, H, W], bilinearly `factor` times as large."""
    return F.interpolate(maps, scale_factor=float(factor), mode="bilinear", align_corners=False)


def smoothed(maps: Tensor) -> Tensor:
    """Weights 1, 2, 1 each way, which leave nothing of a pattern that repeats every 2 px."""
    kernel = torch.tensor([0.25, 0.5, 0.25], device=maps.device, dtype=maps.dtype)
    channels = maps.shape[1]
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    down = F.conv2d(padded, kernel.view(1, 1, 3, 1).expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(down, kernel.view(1, 1, 1, 3).expand(channels, -1, -1, -1), groups=channels)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, instance_norm(outputs), relu())


def _blocks(channels: int, count: int) -> list[nn.Module]:
    return [ResnetBlock(channels, bias=False) for _ in range(count)]
