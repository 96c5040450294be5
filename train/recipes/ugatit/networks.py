"""U-GAT-IT's networks (arXiv 1907.10830): attention by class activation maps, and norms that learn how much to be
instance and how much to be layer norm."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import (
    ResizeConv2d,
    ResnetBlock,
    instance_norm,
    largest_singular_value,
    relu,
    without_autocast,
)
from curate.train.networks.masked import PAINT, painted
from curate.train.networks.whole_image import over_image, variance_and_mean

EPSILON = 1e-5


class Attended(NamedTuple):
    """What both networks return: the image [N,3,H,W] in [-1,1] or the patch logits [N,1,h,w]; CAM logits [N,2] of the
    average-pooled and the max-pooled head; heatmap [N,1,h,w], unbounded. Masked generators add mask and paint, of
    which the image is made: [N,1,H,W] in [0,1] and [N,3,H,W] in [-1,1]."""

    out: Tensor
    cam: Tensor
    heatmap: Tensor
    mask: Tensor | None = None
    paint: Tensor | None = None


def attended(raw: Tensor, images: Tensor, logits: Tensor, features: Tensor) -> Attended:
    """What a generator returns that painted `raw` [N,3,H,W], or [N,4,H,W] with a mask, on `images`."""
    heatmap = features.sum(1, keepdim=True)
    if raw.shape[1] == PAINT:
        return Attended(torch.tanh(raw), logits, heatmap)
    made = painted(raw, images)
    return Attended(made.image, logits, heatmap, made.mask, made.paint)


def steering(features: int, channels: int) -> nn.Sequential:
    """[N, features] -> [N, channels], of which gamma and beta are made."""
    first, second = nn.Linear(features, channels, bias=False), nn.Linear(channels, channels, bias=False)
    return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))


def layer_instance_norm(x: Tensor, rho: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """(rho * IN(x) + (1 - rho) * LN(x)) * gamma + beta for x [N,C,H,W]; section 2.1.2, equation 1.

    rho is [1,C,1,1]; gamma and beta are [N,C,1,1] or [1,C,1,1]. Variances are the unbiased ones, of fp32 values.
    """
    channels, area = x.shape[1], x.shape[2] * x.shape[3]
    full = x.float()
    with without_autocast(x):
        var, mean = variance_and_mean(full, correction=1)
        layer_mean = mean.mean(1, keepdim=True)
        # The layer's variance follows from the channels'.
        squares = (area - 1) * var + area * (mean - layer_mean).square()
        layer_var = squares.sum(1, keepdim=True) / (channels * area - 1)
        layer_part = (1 - rho) * torch.rsqrt(layer_var + EPSILON)
        scale = rho * torch.rsqrt(var + EPSILON) + layer_part
        shift = layer_part * (mean - layer_mean) - scale * mean
        # Both norms, gamma and beta are one affine map: of all the maps between, none is made or kept.
        out = torch.addcmul(shift * gamma + beta, full, scale * gamma)
    return out.to(x.dtype)


class AdaLIN(nn.Module):
    """Adaptive layer-instance norm: gamma and beta [N,C] come from the image's attention features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.full((1, channels, 1, 1), 0.9))

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return layer_instance_norm(x, self.rho, gamma.float()[..., None, None], beta.float()[..., None, None])


class LIN(nn.Module):
    """Layer-instance norm with gamma and beta of its own; it starts as a layer norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rho = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return layer_instance_norm(x, self.rho, self.gamma, self.beta)


@torch.no_grad()
def clamp_rho(network: nn.Module) -> None:
    """Puts every rho of `network` back into [0, 1]; section 2.1.2."""
    for module in network.modules():
        if isinstance(module, AdaLIN | LIN):
            module.rho.clamp_(0.0, 1.0)


class SpectralConv2d(nn.Conv2d):
    """A 4x4 convolution over its weight's spectral norm (arXiv 1802.05957): one power iteration per training forward.

    `weight` stays the raw one, and the output is divided: that equals dividing the weight, but never writes a second
    copy of it. `u` and `v` are random until the first forward in training mode.
    """

    u: Tensor
    v: Tensor

    def __init__(self, inputs: int, outputs: int, stride: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel_size=4, stride=stride, bias=bias)
        _add_singular_vectors(self)

    def forward(self, x: Tensor) -> Tensor:
        out = F.conv2d(x, self.weight, None, self.stride) / _spectral_norm(self)
        return out if self.bias is None else out + self.bias.to(out.dtype)[:, None, None]


class SpectralLinear(nn.Linear):
    """The same for a linear layer without bias, [N, inputs] -> [N, outputs]."""

    u: Tensor
    v: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        _add_singular_vectors(self)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight) / _spectral_norm(self)


def _add_singular_vectors(layer: SpectralConv2d | SpectralLinear) -> None:
    rows, columns = layer.weight.flatten(1).shape
    layer.register_buffer("u", F.normalize(torch.randn(rows), dim=0))
    layer.register_buffer("v", F.normalize(torch.randn(columns), dim=0))


def _spectral_norm(layer: SpectralConv2d | SpectralLinear) -> Tensor:
    matrix = layer.weight.flatten(1).float()
    return largest_singular_value(matrix, layer.u, layer.v, 1e-12, iterate=layer.training, u_first=False)


class CAM(nn.Module):
    """Class activation maps (section 2.1.1): two linear heads that judge pooled features, and whose weights then say
    how much each feature map matters.

    x [N,C,H,W] -> (weighted features before the activation [N,C,H,W], logits [N,2]). The maps are multiplied by the
    heads' *raw* weights, also where the logits use spectrally normalised ones: that is how the reference behaves, and
    the trained networks with it.
    """

    def __init__(self, channels: int, *, spectral: bool) -> None:
        super().__init__()
        self.gap_fc = SpectralLinear(channels, 1) if spectral else nn.Linear(channels, 1, bias=False)
        self.gmp_fc = SpectralLinear(channels, 1) if spectral else nn.Linear(channels, 1, bias=False)
        self.conv1x1 = nn.Conv2d(2 * channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        average, largest = over_image(lambda: (x.mean((2, 3)), x.flatten(2).max(2).values))  # [N,C]
        logits = torch.cat([self.gap_fc(average), self.gmp_fc(largest)], 1)
        # conv1x1(cat(x * a, x * b)) = (K_a a + K_b b) x: weighting the kernel spares a map of 2C channels.
        by_average, by_largest = self.conv1x1.weight.chunk(2, 1)  # [C,C,1,1]
        kernel = by_average * self.gap_fc.weight[..., None, None] + by_largest * self.gmp_fc.weight[..., None, None]
        return F.conv2d(x, kernel, self.conv1x1.bias), logits


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride, bias=False)]


class AdaLINBlock(nn.Module):
    """A residual block whose two norms are steered by gamma and beta [N,C]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv1 = nn.Conv2d(channels, channels, 3, bias=False)
        self.norm1 = AdaLIN(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)
        self.norm2 = AdaLIN(channels)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(self.pad(x)), gamma, beta))
        return x + self.norm2(self.conv2(self.pad(inner)), gamma, beta)


class AttentionGenerator(nn.Module):
    """Images [N,3,S,S] in [-1,1] -> Attended, with a heatmap of a quarter of the side; appendix, table 5.

    `light` pools the attention features before the layers that give gamma and beta: 10,589,888 parameters at width 64
    and 4 blocks, any side. Full flattens them: 278,959,808, and `size` pixels is then the only side it takes.
    """

    def __init__(
        self, width: int = 64, blocks: int = 4, *, light: bool = False, size: int = 256, masked: bool = False
    ) -> None:
        super().__init__()
        wide = 4 * width
        self.light, self.size = light, size
        down: list[nn.Module] = [*_conv(3, width, 7), instance_norm(width), relu()]
        for channels in (width, 2 * width):
            down += _conv(channels, 2 * channels, 3, 2)
            down += [instance_norm(2 * channels), relu()]
        self.down = nn.Sequential(*down, *(ResnetBlock(wide, bias=False) for _ in range(blocks)))
        self.cam = CAM(wide, spectral=False)
        features = wide if light else wide * (size // 4) ** 2
        self.fc = steering(features, wide)
        self.gamma = nn.Linear(wide, wide, bias=False)
        self.beta = nn.Linear(wide, wide, bias=False)
        self.blocks = nn.ModuleList(AdaLINBlock(wide) for _ in range(blocks))
        up: list[nn.Module] = []
        for channels in (wide, 2 * width):
            enlarge = ResizeConv2d(channels, channels // 2, bias=False, fused=True)
            up += [enlarge, LIN(channels // 2), nn.ReLU(inplace=True)]
        self.up = nn.Sequential(*up, *_conv(width, PAINT + masked, 7))

    def forward(self, x: Tensor) -> Attended:
        features, logits = self.cam(self.down(x))
        features = F.relu(features)
        steer = self.fc(over_image(lambda: (features.mean((2, 3)),))[0] if self.light else features.flatten(1))
        gamma, beta = self.gamma(steer), self.beta(steer)
        out = features
        for block in self.blocks:
            out = block(out, gamma, beta)
        return attended(self.up(out), x, logits, features)


class AttentionDiscriminator(nn.Module):
    """Images [N,3,S,S] -> Attended; appendix, table 6. Local: 5 layers, 3,290,560 parameters, 70 px of view; global: 7
    layers, 53,130,176, 286 px. S is at least 3 * 2 ** (layers - 2), else the last maps are too small to be padded.
    """

    def __init__(self, width: int = 64, layers: int = 5) -> None:
        super().__init__()
        self.layers = layers
        body: list[nn.Module] = []
        inputs, outputs = 3, width
        for layer in range(layers - 1):
            stride = 2 if layer < layers - 2 else 1
            body += [nn.ReflectionPad2d(1), SpectralConv2d(inputs, outputs, stride), nn.LeakyReLU(0.2, inplace=True)]
            inputs, outputs = outputs, 2 * outputs
        self.body = nn.Sequential(*body)
        self.cam = CAM(inputs, spectral=True)
        self.pad = nn.ReflectionPad2d(1)
        self.head = SpectralConv2d(inputs, 1, 1, bias=False)

    @staticmethod
    def most_layers(size: int) -> int:
        """The most layers that images of `size` px leave a map for."""
        return int(math.log2(size / 3)) + 2

    def forward(self, x: Tensor) -> Attended:
        features, logits = self.cam(self.body(x))
        features = F.leaky_relu(features, 0.2)
        return Attended(self.head(self.pad(features)), logits, features.sum(1, keepdim=True))
