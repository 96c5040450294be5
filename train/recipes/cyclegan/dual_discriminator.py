"""A discriminator with two views: patches as in CycleGAN, and the whole image."""

from __future__ import annotations

from torch import Tensor, nn

from curate.train.networks.blocks import init_spectral

SLOPE = 0.2


class DualDiscriminator(nn.Module):
    """A shared trunk, a local head for patches of 70 x 70 px and a global head for the image.

    Spectral norm on every convolution, no other norm. Images are square, of `size` px, a multiple of 64, of which the
    global head's last convolution makes one number. `width` 64 makes 13,260,226 parameters.
    """

    def __init__(self, width: int = 64, size: int = 256) -> None:
        super().__init__()
        self.stride = 8  # px of the images from one place of the local map to the next
        w = width
        self.trunk = nn.Sequential(*_conv(3, w, 2), *_conv(w, 2 * w, 2), *_conv(2 * w, 4 * w, 2))
        self.local = nn.Sequential(*_conv(4 * w, 8 * w, 1), nn.Conv2d(8 * w, 1, 4, 1, 1))
        whole = [*_conv(4 * w, 8 * w, 2), *_conv(8 * w, 8 * w, 2), *_conv(8 * w, 8 * w, 2)]
        self.whole = nn.Sequential(*whole, nn.Conv2d(8 * w, 1, size // 64))
        init_spectral(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # -> [N, 1, 1, 1] and [N, 1, size/8 - 2, size/8 - 2]
        h = self.trunk(x)  # [N, 4 width, size/8, size/8]
        return self.whole(h), self.local(h)


def _conv(inside: int, outside: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inside, outside, 4, stride, 1), nn.LeakyReLU(SLOPE, inplace=True)
