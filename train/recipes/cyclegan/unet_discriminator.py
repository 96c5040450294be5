"""The U-Net discriminator: one logit for the image and one for each of its pixels (arXiv 2002.12655)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curate.train.networks.blocks import spectral_norm

WIDTHS: Mapping[int, Sequence[int]] = {
    16: (1, 2),
    32: (1, 2, 4),
    64: (1, 2, 4, 8),
    128: (1, 2, 4, 8, 16),
    256: (1, 2, 4, 8, 8, 16),
}


class UNetDiscriminator(nn.Module):
    """Down to 4 x 4 for the image's logit, and up again along skips for the pixels'.

    Square images of `size` px: 16, 32, 64, 128 or 256. `width` 64 makes 44,067,651 parameters at 256 and 31,481,667
    at 128, 65 of which belong to a layer that is built and never used, as in the reference.
    """

    def __init__(self, width: int = 64, size: int = 256, channels: int = 3) -> None:
        super().__init__()
        self.stride = 1  # px of the images from one place of the map to the next
        down = [width * multiple for multiple in WIDTHS[size]]
        up = [*reversed(down[:-1]), width]
        skips = [0, *reversed(down[:-1])]  # channels of the skip beside each step up
        self.down = nn.ModuleList(
            _Down(inside, outside, first=i == 0)
            for i, (inside, outside) in enumerate(zip([channels, *down[:-1]], down, strict=True))
        )
        self.up = nn.ModuleList(
            _Up(inside + skip, outside) for inside, skip, outside in zip([down[-1], *up[:-1]], skips, up, strict=True)
        )
        self.whole = _spectral(nn.Linear(down[-1], 1))
        self.unused = _spectral(nn.Linear(width, 1))
        self.pixels = nn.Conv2d(width, 1, 1)
        nn.init.orthogonal_(self.pixels.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # [N, C, size, size] -> [N, 1] and [N, 1, size, size]
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        whole = self.whole(F.relu(x).sum((2, 3)))
        skips.pop()
        for i, block in enumerate(self.up):
            x = block(torch.cat((x, skips.pop()), 1) if i else x)
        return whole, self.pixels(x)


class _Down(nn.Module):
    """[N, inside, H, W] -> [N, outside, H/2, W/2]."""

    def __init__(self, inside: int, outside: int, *, first: bool) -> None:
        super().__init__()
        self.first = first  # the image itself is not rectified
        self.conv1 = _spectral(nn.Conv2d(inside, outside, 3, padding=1))
        self.conv2 = _spectral(nn.Conv2d(outside, outside, 3, padding=1))
        self.shortcut = _spectral(nn.Conv2d(inside, outside, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        # Pooling and a 1 x 1 convolution commute; before it costs a quarter.
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


class _Up(nn.Module):
    """[N, inside, H, W] -> [N, outside, 2H, 2W]."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv1 = _spectral(nn.Conv2d(inside, outside, 3, padding=1))
        self.conv2 = _spectral(nn.Conv2d(outside, outside, 3, padding=1))
        self.shortcut = _spectral(nn.Conv2d(inside, outside, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.relu(self.conv1(F.interpolate(F.relu(x), scale_factor=2.0, mode="nearest"))))
        # A 1 x 1 convolution and nearest-neighbour enlargement commute; before it costs a quarter.
        return h + F.interpolate(self.shortcut(x), scale_factor=2.0, mode="nearest")


def _spectral(layer: nn.Module) -> nn.Module:
    nn.init.orthogonal_(layer.get_parameter("weight"))
    normed: nn.Module = spectral_norm(layer, eps=1e-6)
    return normed
