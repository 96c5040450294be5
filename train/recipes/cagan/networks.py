"""The networks of CAGAN: two generators that give a mask and a picture, and the discriminators of the two references.

A generator takes 9 channels, the person, the garment worn and the garment to wear, and returns (alpha, rgb):
[N, 1, H, W] in [0, 1] and [N, 3, H, W] in the range of its images. A discriminator takes 6, a person and a garment,
and returns logits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curate.train.engine.rng import noise_like
from curate.train.networks.blocks import InstanceNorm2d, ResizeConv2d, Upsampling, init_normal, without_autocast

SLOPE = 0.2  # of every leaky ReLU here: Chainer's default, and the Keras notebook's own

Norm = Callable[[int], nn.Module]  # channels -> a normalisation


def affine_norm(channels: int) -> nn.Module:
    """Instance norm with a learnt scale and shift, as its Chainer package had it in 2017."""
    return InstanceNorm2d(channels, eps=2e-5, affine=True)


class StdNorm(nn.Module):
    """Instance norm whose epsilon is added to the standard deviation, not to the variance: the Keras notebook's."""

    def __init__(self, channels: int, eps: float = 1.01e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:  # [N, C, H, W] -> the same
        with without_autocast(x):
            std, mean = torch.std_mean(x.float(), dim=(2, 3), correction=0, keepdim=True)
            normed = (x - mean) / (std + self.eps) * self.weight[:, None, None] + self.bias[:, None, None]
        return normed.to(x.dtype)


class AdditiveUNet(nn.Module):
    """The swimwear article's generator: four levels, skips added after the activation. Images in [0, 1].

    `width` 64 makes 5,522,564 parameters. Sides are multiples of 16. `bn0` is built and never used, as there, so that
    its files fit.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        w = width
        self.c0 = nn.Conv2d(9, w, 4, 2, 1)
        self.c1 = nn.Conv2d(w, 2 * w, 4, 2, 1)
        self.c2 = nn.Conv2d(2 * w, 4 * w, 4, 2, 1)
        self.c3 = nn.Conv2d(4 * w, 8 * w, 4, 2, 1)
        self.dc0 = nn.ConvTranspose2d(8 * w, 4 * w, 4, 2, 1)
        self.dc1 = nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1)
        self.dc2 = nn.ConvTranspose2d(2 * w, w, 4, 2, 1)
        self.dc3 = nn.ConvTranspose2d(w, 4, 4, 2, 1)
        self.bn0, self.bn1, self.bn2, self.bn3 = (affine_norm(n * w) for n in (1, 2, 4, 8))
        self.dbn0, self.dbn1, self.dbn2 = (affine_norm(n * w) for n in (4, 2, 1))
        init_normal(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # [N, 9, H, W]
        h1 = F.relu(self.c0(x))
        h2 = F.relu(self.bn1(self.c1(h1)))
        h3 = F.relu(self.bn2(self.c2(h2)))
        h = F.relu(self.bn3(self.c3(h3)))  # [N, 8 width, H/16, W/16]
        h = F.relu(self.dbn0(self.dc0(h))) + h3
        h = F.relu(self.dbn1(self.dc1(h))) + h2
        h = F.relu(self.dbn2(self.dc2(h))) + h1
        out = torch.sigmoid(self.dc3(h))
        return out[:, :1], out[:, 1:]


class GlobalDiscriminator(nn.Module):
    """The swimwear article's discriminator: one logit per pair, noise before each activation while training.

    `width` 64 and `size` 256 make 6,990,145 parameters. Images are square, of `size` px, a multiple of 32 and at
    least 64. `bn0` is built and never used, as there.
    """

    def __init__(self, width: int = 64, size: int = 256, noise: float = 0.2) -> None:
        super().__init__()
        w = width
        self.noise = noise
        self.c0 = nn.Conv2d(6, w, 4, 2, 1)
        self.c1 = nn.Conv2d(w, 2 * w, 4, 2, 1)
        self.c2 = nn.Conv2d(2 * w, 4 * w, 4, 2, 1)
        self.c3 = nn.Conv2d(4 * w, 8 * w, 4, 2, 1)
        self.c4 = nn.Conv2d(8 * w, 8 * w, 4, 2, 1)
        self.l4 = nn.Linear((size // 32) ** 2 * 8 * w, 1)
        self.bn0, self.bn1, self.bn2, self.bn3, self.bn4 = (affine_norm(n * w) for n in (1, 2, 4, 8, 8))
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:  # [N, 6, size, size] -> [N, 1]
        h = F.leaky_relu(self._noisy(self.c0(self._noisy(x))), SLOPE)
        for conv, norm in ((self.c1, self.bn1), (self.c2, self.bn2), (self.c3, self.bn3), (self.c4, self.bn4)):
            h = F.leaky_relu(self._noisy(norm(conv(h))), SLOPE)
        return self.l4(h.flatten(1))

    def _noisy(self, h: Tensor) -> Tensor:
        return h + self.noise * noise_like(h) if self.training else h


class ConditionedUNet(nn.Module):
    """The Keras notebook's generator: concatenated skips, and person and worn garment shown again at every level.

    Images in [-1, 1], sides multiples of 16. `width` 64 with StdNorm and without `bias` makes 6,339,264 parameters;
    `bias` gives one to the two convolutions that no norm follows.
    """

    def __init__(
        self, width: int = 64, norm: Norm = StdNorm, *, bias: bool = False, upsampling: Upsampling = "transposed"
    ) -> None:
        super().__init__()
        w = width

        def enlarge(inputs: int, outputs: int) -> nn.Module:
            if upsampling == "nearest":
                return _normed(ResizeConv2d(inputs, outputs, bias=False), norm)
            return _normed(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), norm)

        self.down1 = nn.Conv2d(9, w, 4, 2, 1, bias=bias)
        self.down2 = _normed(nn.Conv2d(w + 6, 2 * w, 4, 2, 1, bias=False), norm)
        self.down3 = _normed(nn.Conv2d(2 * w + 6, 4 * w, 4, 2, 1, bias=False), norm)
        self.down4 = _normed(nn.Conv2d(4 * w + 6, 8 * w, 4, 2, 1, bias=False), norm)
        self.up4 = enlarge(8 * w + 6, 4 * w)
        self.up3 = enlarge(8 * w + 6, 2 * w)
        self.up2 = enlarge(4 * w + 6, w)
        self.up1 = enlarge(w + 6, w // 2)
        self.out = nn.Conv2d(w // 2, 4, 4, bias=bias)
        init_normal(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # [N, 9, H, W]
        shown = [F.avg_pool2d(x[:, :6], side) for side in (2, 4, 8, 16)]  # the person in the garment worn

        def show(h: Tensor, level: int) -> Tensor:
            return torch.cat((h, shown[level - 1]), 1)

        h = show(F.leaky_relu(self.down1(x), SLOPE), 1)
        skip2 = self.down2(h)  # [N, 2 width, H/4, W/4], before its activation
        h = show(F.leaky_relu(skip2, SLOPE), 2)
        skip3 = self.down3(h)
        h = show(F.leaky_relu(skip3, SLOPE), 3)
        h = show(F.leaky_relu(self.down4(h), SLOPE), 4)
        h = show(F.relu(torch.cat((self.up4(h), skip3), 1)), 3)
        h = show(F.relu(torch.cat((self.up3(h), skip2), 1)), 2)
        h = F.relu(show(F.relu(self.up2(h)), 1))  # the shown images are rectified, too: the notebook does
        out = self.out(F.pad(self.up1(h), (1, 2, 1, 2)))  # TensorFlow's "same" for a kernel of 4 at stride 1
        return torch.sigmoid(out[:, :1]), torch.tanh(out[:, 1:])


class BatchNormPatch(nn.Module):
    """The Keras notebook's discriminator: patch logits, batch norm on the batch's own statistics always.

    `width` 64 makes 2,768,705 parameters. At [128, 96] the map is [14, 10].
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        w = width
        self.conv1 = nn.Conv2d(6, w, 4, 2, 1)
        self.conv2 = _normed(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), _batch_norm)
        self.conv3 = _normed(nn.Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False), _batch_norm)
        self.conv4 = _normed(nn.Conv2d(4 * w, 8 * w, 4, 1, 1, bias=False), _batch_norm)
        self.conv5 = nn.Conv2d(8 * w, 1, 4, 1, 1)
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:  # [N, 6, H, W] -> [N, 1, H/8 - 2, W/8 - 2]
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.leaky_relu(layer(x), SLOPE)
        return self.conv5(x)


def _batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1.01e-5, track_running_stats=False)


def _normed(conv: nn.Module, norm: Norm) -> nn.Sequential:
    channels = conv.out_channels
    assert isinstance(channels, int)
    return nn.Sequential(conv, norm(channels))
