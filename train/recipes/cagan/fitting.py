"""CAGAN's generator that first lays the article over the person, then paints; and the pairs that teach it.

The article is brought to the place of the garment worn, bent by a coarse flow (as VITON, CP-VTON and ClothFlow do), and
shows through the paint wherever a second mask lets it, so that patterns keep their lines.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curate.train.engine.rng import randint
from curate.train.networks.blocks import without_autocast
from curate.train.recipes.cagan.garment_region import GarmentRegion, foreground, matched, sampled, trunk

BLOCK = 4  # px, sides of the squares that the layers see as one place
BEND = 0.1  # of a picture, the unit in which the flow is learnt
SURE = 6.0  # how far the two masks begin from a half where the garment is, and where it is not
SLEEVE_WORN, SLEEVE_SPREAD = 0.18, 0.115  # shares of the width: no sleeve is wider, on a person and in an article
WIDENED = 3  # px, by less of which a pasted garment is wider than its region, at 128 px
CARRIED = 16  # channels between the layers of blocks and those of pixels


class Fitted(NamedTuple):
    """An article on a person, all [N, C, H, W]."""

    alpha: Tensor  # [N, 1, H, W] in [0, 1], where it is painted
    paint: Tensor  # [N, 3, H, W] in [-1, 1]
    warped: Tensor  # [N, 3, H, W], the article where the garment is
    shape: Tensor  # [N, 1, H, W] in [0, 1], where the article lies in it
    bend: Tensor  # [N, 2, H, W], what the flow adds to a similarity


class WarpedUNet(nn.Module):
    """Nine channels, as all generators of CAGAN take, to `Fitted`. Images in [-1, 1], sides multiples of 16."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        w = width
        self.region = GarmentRegion()
        self.flow = nn.Sequential(
            _layer(8 * BLOCK**2, w, 1), _layer(w, w, stride=2), _layer(w, 2 * w, stride=2), _layer(2 * w, 2 * w),
            _layer(2 * w, 2 * w),
        )  # fmt: skip
        self.bend = nn.Conv2d(2 * w, 2, 3, padding=1)
        self.shift = nn.Linear(2 * w, 6)
        for last in (self.bend, self.shift):  # it begins as a similarity
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        self.down1 = nn.Sequential(_layer(8 * BLOCK**2, w, 1), _layer(w, w))
        self.down2 = nn.Sequential(_layer(w, 2 * w, stride=2), _layer(2 * w, 2 * w))
        self.down3 = nn.Sequential(_layer(2 * w, 3 * w, stride=2), _layer(3 * w, 3 * w), _layer(3 * w, 2 * w))
        self.up2 = nn.Sequential(_layer(4 * w, 2 * w), _layer(2 * w, w))
        self.up1 = nn.Sequential(_layer(2 * w, w), _layer(w, w))
        self.blocks = nn.Conv2d(w, CARRIED // 2 * BLOCK**2, 1)
        with torch.no_grad():  # a block's pixels begin alike, so that no pattern of blocks lies over the paint
            self.blocks.weight.copy_(self.blocks.weight[:: BLOCK**2].repeat_interleave(BLOCK**2, 0))
        self.pixels1 = nn.Conv2d(CARRIED, CARRIED, 3, padding=1)
        self.pixels2 = nn.Conv2d(CARRIED, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Fitted:  # [N, 9, H, W]
        human, worn, wanted = x.chunk(3, 1)
        region = self.region(human, worn)
        warped, shape, bend = self._warp(human, wanted, region)
        seen = torch.cat((human, warped, shape, region), 1)
        h1 = self.down1(F.pixel_unshuffle(seen, BLOCK))
        h2 = self.down2(h1)
        h = self.up2(torch.cat((_enlarged(self.down3(h2)), h2), 1))
        h = self.up1(torch.cat((_enlarged(h), h1), 1))
        carried = F.pixel_shuffle(self.blocks(h), BLOCK)  # [N, CARRIED / 2, H, W]
        detail = self.pixels2(F.leaky_relu(self.pixels1(torch.cat((carried, seen), 1)), 0.2))
        out = (carried[:, :5] + detail).float()
        alpha = torch.sigmoid(out[:, :1] + SURE * torch.maximum(shape, region) - SURE / 2)
        through = torch.sigmoid(out[:, 1:2] + SURE * shape - SURE / 2)
        return Fitted(alpha, torch.lerp(torch.tanh(out[:, 2:]), warped, through), warped, shape, bend)

    def _warp(self, human: Tensor, wanted: Tensor, region: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The article over the region of the garment worn, its outline there, and how it was bent."""
        height, width = human.shape[2:]
        lying = foreground(wanted)
        article = torch.cat((wanted, lying), 1)
        place = matched(trunk(lying, SLEEVE_SPREAD), trunk(region, SLEEVE_WORN))
        similar = F.affine_grid(place.float(), list(human.shape), align_corners=False)
        found = self.flow(F.pixel_unshuffle(torch.cat((human, sampled(article, similar), region), 1), BLOCK))
        bend = F.interpolate(self.bend(found).float(), (height, width), mode="bilinear")
        with without_autocast(human):
            shift = (BEND * self.shift(found.float().mean((2, 3)))).view(-1, 2, 3)
            moved = F.affine_grid(shift, list(human.shape), align_corners=False)
        scale = place[:, 0, 0].view(-1, 1, 1, 1)
        laid = sampled(article, similar + scale * (BEND * bend.permute(0, 2, 3, 1) + moved))
        return laid[:, :3], laid[:, 3:], bend


class Pasted(NamedTuple):
    """People under the garments of others: what a generator has to undo."""

    person: Tensor  # [N, 3, H, W] in [-1, 1]
    worn: Tensor  # [N, 3, H, W], the article of the garment that was pasted on


@torch.no_grad()
def paste(human: Tensor, worn: Tensor, region: Tensor) -> Pasted:
    """Each person under the garment of the one before in the batch, brought to the place of the own one.

    All within either garment comes along, the bare arms under short sleeves, too: so the pair that a person makes with
    the article worn shows what is right, pixel by pixel. `region` [N, 1, H, W] is where the garments are.
    """
    others = torch.cat((human, region), 1).roll(1, 0)
    place = trunk(region, SLEEVE_WORN)
    grid = F.affine_grid(matched(place.roll(1, 0), place), list(human.shape), align_corners=False)
    brought = sampled(others, grid)
    covered = ((region > 0.4) | (brought[:, 3:] > 0.4)).float()
    reach = int(randint(0, max(1, round(WIDENED * human.shape[2] / 128)), 1))
    covered = F.max_pool2d(covered, 2 * reach + 1, 1, reach)
    covered = F.avg_pool2d(F.pad(covered, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return Pasted(torch.lerp(human, brought[:, :3], covered), worn.roll(1, 0))


def bending(bend: Tensor) -> Tensor:
    """How unevenly a flow [N, 2, H, W] changes: the mean absolute second difference along both axes."""
    across = bend[..., 2:] - 2 * bend[..., 1:-1] + bend[..., :-2]
    down = bend[..., 2:, :] - 2 * bend[..., 1:-1, :] + bend[..., :-2, :]
    return across.abs().mean() + down.abs().mean()


def _layer(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    return nn.Sequential(convolution, nn.GroupNorm(math.gcd(8, outputs), outputs), nn.LeakyReLU(0.2))


def _enlarged(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")
