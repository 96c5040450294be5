"""U-GAT-IT's generator for few pixels' price: attention and AdaLIN on a small map, edges from the image itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import ResnetBlock, instance_norm, relu
from curate.train.networks.masked import PAINT
from curate.train.networks.unet import OwnColours, enlarged, smoothed
from curate.train.networks.whole_image import over_image
from curate.train.recipes.ugatit.networks import CAM, LIN, AdaLINBlock, Attended, attended, steering

BLOCK = 2  # px, side of the blocks whose pixels become channels, and of those that it gives
LEAST = 8  # px, of which the sides are made multiples: the smallest map is so much smaller
SLOPE = 0.9  # of [-1, 1], into which images are put before a tanh is undone: at 1 it has no slope


class AttentionUNet(nn.Module):
    """Images [N,3,H,W] in [-1,1], from 32 px a side on, -> Attended, with a heatmap of an eighth of the side.

    What AttentionGenerator does at a quarter of the side, it does at an eighth, and on the way up each map is joined by
    that of its size from the way down (Ronneberger et al., 2015), so that edges stand where the image has them. It
    begins as (nearly) no change, and learns what to add. `masked` makes the image of a paint and a mask, and its paint
    begins from colours that the image has elsewhere.
    """

    def __init__(self, width: int = 16, blocks: int = 1, *, masked: bool = False) -> None:
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
        self.head = nn.Conv2d(3 * width // 2, (4 if masked else 3) * BLOCK**2, 3, padding=1, padding_mode="reflect")
        self.masked = masked
        if masked:
            self.colours = OwnColours(middle)
        nn.init.zeros_(self.head.weight)
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
        # What it paints begins from the image; or, under a mask, from colours that the image has elsewhere.
        begin = enlarged(self.colours(quarter, padded), 2 * BLOCK) if self.masked else padded
        paint = raw[:, :PAINT] + torch.atanh(SLOPE * begin.clamp(-1.0, 1.0))  # noise may lead beyond
        raw = torch.cat((paint, raw[:, PAINT:]), 1)[:, :, :height, :width]
        return attended(raw, images, logits, features)


def _down(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, instance_norm(outputs), relu())


def _up(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=False)
    return nn.Sequential(conv, LIN(outputs), nn.ReLU(inplace=True))
