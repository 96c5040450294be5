"""Council-GAN's networks (Nizan & Tal, Breaking the Cycle: Colleagues Are All You Need, CVPR 2020, arXiv 1911.10538).

Layers stand at the places and under the names of the authors' code, so that its checkpoints have the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from curate.train.networks.blocks import init_normal, without_autocast
from curate.train.networks.masked import PAINT
from curate.train.networks.whole_image import is_tiled, variance_and_mean

EPSILON = 1e-5
Norm = tuple[Tensor, Tensor]  # shift and scale, [N, C] each


class Layered(NamedTuple):
    """What a member makes of images [N, 3, H, W] in [-1, 1]."""

    image: Tensor  # [N, 3, H, W] in [-1, 1]: the images under the layers of paint, the first of them at the bottom
    masks: Tensor  # [N, M, H, W] in [0, 1]
    layers: Tensor  # [N, 3 M, H, W] in [-1, 1]


class PaddedConvolution(nn.Module):
    """A convolution with zeros around the image, that keeps its size or, of 4 px, halves it."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, 2 if kernel == 4 else 1, padding=(kernel - 1) // 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class LeakyConvolution(PaddedConvolution):
    """With a leaky ReLU, as discriminators have it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(super().forward(x), 0.2, inplace=True)


class StyledBlock(nn.Module):
    """Two convolutions of 3 px, whose sum with their input is given on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(PaddedConvolution(channels, channels, 3) for _ in range(2))

    def forward(self, x: Tensor, norms: Iterator[Norm | None]) -> Tensor:
        first, second = self.model
        inner = F.relu(normalised(first(x), next(norms)))
        return normalised(second(inner), next(norms)) + x


class StyledBlocks(nn.Module):
    """Residual blocks one after the other, normalised by `norms`: of each image alone, or as z wants it."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(StyledBlock(channels) for _ in range(count))

    def forward(self, x: Tensor, norms: Iterator[Norm | None]) -> Tensor:
        for block in self.model:
            x = block(x, norms)
        return x


class ContentEncoder(nn.Module):
    """Images [N, 3, H, W] -> [N, 4 width, H / 4, W / 4]."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(
            [
                PaddedConvolution(3, width, 7),
                PaddedConvolution(width, 2 * width, 4),
                PaddedConvolution(2 * width, 4 * width, 4),
                StyledBlocks(4 * width, blocks),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        *convolutions, blocks = self.model
        for convolution in convolutions:
            x = F.relu(normalised(convolution(x), None))
        out: Tensor = blocks(x, repeat(None))
        return out


class Decoder(nn.Module):
    """[N, 4 width, h, w] and the norms that z wants -> [N, outputs, 4 h, 4 w] in [-1, 1]."""

    def __init__(self, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [StyledBlocks(4 * width, blocks)]
        self.adaptive = [4 * width] * 2 * blocks  # channels of each norm, in order
        for channels in (4 * width, 2 * width):
            half = channels // 2
            layers += [
                nn.Upsample(scale_factor=2),
                PaddedConvolution(channels, half, 3),
                PaddedConvolution(half, half, 3),
            ]
            self.adaptive += [half, half]
        layers += [
            PaddedConvolution(width, width, 1),
            PaddedConvolution(width, width, 1),
            PaddedConvolution(width, outputs, 1),
        ]
        self.model = nn.ModuleList(layers)

    def forward(self, x: Tensor, styling: Tensor) -> Tensor:
        norms = self._norms(styling)
        blocks, *enlarging = self.model[:-3]
        x = blocks(x, norms)
        for layer in enlarging:
            x = layer(x) if isinstance(layer, nn.Upsample) else F.relu(normalised(layer(x), next(norms)))
        for layer in self.model[-3:-1]:
            x = F.relu(layer(x))
        return torch.tanh(self.model[-1](x))

    def _norms(self, styling: Tensor) -> Iterator[Norm]:
        """Those of each layer: of the numbers that z becomes, each takes its shifts first."""
        start = 0
        for channels in self.adaptive:
            yield styling[:, start : start + channels], styling[:, start + channels : start + 2 * channels]
            start += 2 * channels


class ReaderLayer(nn.Module):
    """A linear layer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x)
        return out


class Reader(nn.Module):
    """z [N, style] -> the shifts and scales of all of the decoder's norms."""

    def __init__(self, style: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.model = nn.ModuleList(
            [ReaderLayer(style, hidden), ReaderLayer(hidden, hidden), ReaderLayer(hidden, outputs)]
        )

    def forward(self, z: Tensor) -> Tensor:
        first, second, last = self.model
        out: Tensor = last(F.relu(second(F.relu(first(z)))))
        return out


class StyleEncoder(nn.Module):
    """The encoder of styles that the authors' files have, too: neither they nor we ever ask it, so it never trains."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        wide = 4 * width
        convolutions = [
            PaddedConvolution(3, width, 7),
            PaddedConvolution(width, 2 * width, 4),
            PaddedConvolution(2 * width, wide, 4),
        ]
        convolutions += [PaddedConvolution(wide, wide, 4), PaddedConvolution(wide, wide, 4)]
        self.model = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, style, 1))
        self.requires_grad_(False)


class CouncilGenerator(nn.Module):
    """A member: images [N, 3, H, W] in [-1, 1] and z [N, style] -> Layered. H and W are multiples of 4.

    With the defaults it has 17,404,236 parameters, 2,779,328 of them in the style encoder. Figure 3 of the paper; the
    masks are the code's.
    """

    def __init__(
        self,
        width: int = 64,
        blocks: int = 5,
        style: int = 64,
        hidden: int = 256,
        masks: int = 3,
        mask_gain: float = 10.0,
    ) -> None:
        super().__init__()
        self.style, self.masks, self.mask_gain = style, masks, mask_gain
        self.enc_style = StyleEncoder(width, style)
        self.enc_content = ContentEncoder(width, blocks)
        self.dec = Decoder(width, blocks, (PAINT + 1) * masks)
        self.mlp = Reader(style, hidden, 2 * sum(self.dec.adaptive))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor, z: Tensor) -> Layered:
        return self.decode(self.enc_content(images), z, images)

    def decode(self, content: Tensor, z: Tensor, images: Tensor) -> Layered:
        """The translation of `images`, of which `content` was encoded, in the style `z`."""
        raw = self.dec(content, self.mlp(z)).float()
        masks = (torch.tanh(self.mask_gain * raw[:, PAINT * self.masks :]) + 1) / 2
        layers = raw[:, : PAINT * self.masks]
        image = images.float()
        for mask, paint in _stacked(masks, layers):
            image = (1 - mask) * image + mask * paint
        return Layered(image, masks, layers)


def flattened(made: Layered) -> tuple[Tensor, Tensor]:
    """One mask [N, 1, H, W] and one paint [N, 3, H, W] that stand for all layers: image = lerp(images, paint, mask)."""
    left = torch.ones_like(made.masks[:, :1])
    paint = torch.zeros_like(made.layers[:, :PAINT])
    for mask, layer in _stacked(made.masks, made.layers):
        left, paint = (1 - mask) * left, (1 - mask) * paint + mask * layer
    covered = 1 - left
    top = made.layers[:, -PAINT:]  # where nothing is painted, any paint will do
    return covered, torch.where(covered > 1e-6, paint / covered.clamp_min(1e-6), top).clamp(-1.0, 1.0)


def _stacked(masks: Tensor, layers: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each mask [N, 1, H, W] and its paint [N, 3, H, W], from the bottom to the top."""
    return zip(masks.split(1, 1), layers.split(PAINT, 1), strict=True)


def normalised(x: Tensor, style: Norm | None) -> Tensor:
    """Each channel of x [N, C, H, W] with mean 0 and variance 1, then as `style`, shift and scale [N, C], wants it.

    Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization (2017), equation 8.
    """
    # What torch has for it, in one pass; as InstanceNorm2d's it has wrong gradients where channels are innermost.
    if x.is_cpu and x.dtype == torch.float32 and x.is_contiguous() and not is_tiled():
        count, channels = x.shape[:2]
        shift, scale = (None, None) if style is None else (part.float().reshape(-1) for part in style)
        one = x.view(1, count * channels, *x.shape[2:])
        return F.batch_norm(one, None, None, scale, shift, training=True, eps=EPSILON).view(x.shape)
    with without_autocast(x):
        full = x.float()
        var, mean = variance_and_mean(full, correction=0)
        scaled = torch.rsqrt(var + EPSILON)
        if style is None:
            return torch.addcmul(-mean * scaled, full, scaled).to(x.dtype)
        scaled = scaled * style[1].float()[..., None, None]
        return torch.addcmul(style[0].float()[..., None, None] - mean * scaled, full, scaled).to(x.dtype)


class ScaledDiscriminator(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] -> a map of raw scores of each, and one of their halves.

    With width 64 it has 5,514,114 parameters. The council's, `council`, sees an image beside its source, [N, 6, H, W],
    at its full size first, and has 6,040,194. Section 4 of the paper; Wang et al., pix2pixHD (2018), for the scales.
    """

    SCALES = 2

    def __init__(self, width: int = 64, *, council: bool = False) -> None:
        super().__init__()
        self.cnns = nn.ModuleList(self._scale(width, council=council) for _ in range(self.SCALES))
        init_normal(self)

    @staticmethod
    def _scale(width: int, *, council: bool) -> nn.Sequential:
        layers: list[nn.Module] = [LeakyConvolution(6, width, 3) if council else LeakyConvolution(3, width, 4)]
        layers += [LeakyConvolution(channels, 2 * channels, 4) for channels in (width, 2 * width, 4 * width)]
        layers += [nn.Conv2d(8 * width, 8 * width, 1)] if council else []
        return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        for scale, network in enumerate(self.cnns):
            if scale:
                images = F.avg_pool2d(images, 3, stride=2, padding=1, count_include_pad=False)
            maps.append(network(images))
        return maps
