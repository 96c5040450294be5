"""U-GAT-IT's generator for few pixels' price: attention and AdaLIN on a small map, colours from the image itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import ResnetBlock, instance_norm, relu
from curate.train.networks.masked import PAINT
from curate.train.networks.unet import WHITEST, OwnColours, enlarged, smoothed
from curate.train.networks.whole_image import over_image
from curate.train.recipes.ugatit.networks import CAM, LIN, AdaLINBlock, Attended, attended, steering
from curate.train.recipes.ugatit.palette import Palette

BLOCK = 2  # px, side of the blocks whose pixels become channels, and of those that it gives
LEAST = 8  # px, of which the sides are made multiples: the smallest map is so much smaller


class AttentionUNet(nn.Module):
    """Images [N,3,H,W] in [-1,1], from 32 px a side on, -> Attended, with a heatmap of an eighth of the side.

    What AttentionGenerator does at a quarter of the side, it does at an eighth, and on the way up each map is joined by
    that of its size from the way down (Ronneberger et al., 2015), so that edges stand where the image has them. What is
    painted begins from colours that the image itself has elsewhere, hair from hair; with `palette` it has nothing but
    so many flat colours of the image, ink and white. `masked` makes the image of a paint and a mask.
    """

    def __init__(self, width: int = 16, blocks: int = 1, *, palette: int = 0, masked: bool = False) -> None:
        super().__init__()
        middle, wide = 3 * width, 9 * width // 2
        self.stem = _down(3 * BLOCK**2, width, 1)
        self.middle = nn.Sequential(_down(width, middle, 2), _down(middle, middle, 1))
        self.bottom = nn.Sequential(
            _down(middle, wide, 2), *(ResnetBlock(wide, bias=False) for _ in range(max(1, blocks)))
        )
        self.cam = CAM(wide, spectral=False)
        self.fc = steering(wide, wide)
        self.gamma, self.beta = nn.Linear(wide, wide, bias=False), nn.Linear(wide, wide, bias=False)
        self.blocks = nn.ModuleList(AdaLINBlock(wide) for _ in range(blocks))
        self.up = nn.ModuleList([_up(wide + middle, middle), _up(middle + width, 3 * width // 2)])
        self.palette = Palette(wide + middle, palette) if palette else None
        self.colours = None if palette else OwnColours(middle)
        self.paints = self.palette.size if self.palette else PAINT  # channels
        channels = self.paints + masked
        self.head = nn.Conv2d(3 * width // 2, channels * BLOCK**2, 3, padding=1, padding_mode="reflect")
        nn.init.normal_(self.head.weight, std=0.02 if palette else 0.0)  # equal shares of all colours have no slope
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Attended:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % LEAST, 0, -height % LEAST), mode="reflect")
        fine = self.stem(F.pixel_unshuffle(padded, BLOCK))
        middle = self.middle(fine)
        features, logits = self.cam(self.bottom(middle))
        features = F.relu(features)
        steer = self.fc(over_image(lambda: (features.mean((2, 3)),))[0])
        gamma, beta = self.gamma(steer), self.beta(steer)
        h = features
        for block in self.blocks:
            h = block(h, gamma, beta)
        quarter = self.up[0](torch.cat((enlarged(h, 2), middle), 1))
        half = self.up[1](torch.cat((enlarged(quarter, 2), fine), 1))
        raw = smoothed(F.pixel_shuffle(self.head(half), BLOCK))
        paint = raw[:, : self.paints]
        if self.palette is not None:
            mixed = self.palette(paint, torch.cat((enlarged(h, 2), middle), 1), padded)
            paint = torch.atanh(mixed.clamp(-WHITEST, WHITEST))
        elif self.colours is not None:
            own = enlarged(self.colours(quarter, padded), 2 * BLOCK)  # noise may lead beyond [-1, 1]
            paint = paint + torch.atanh(own.clamp(-WHITEST, WHITEST))
        raw = torch.cat((paint, raw[:, self.paints :]), 1)[:, :, :height, :width]
        return attended(raw, images, logits, features)


def _down(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, instance_norm(outputs), relu())


def _up(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, LIN(outputs), nn.ReLU(inplace=True))
