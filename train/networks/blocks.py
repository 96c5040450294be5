"""What several networks are built from."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

Upsampling = Literal["transposed", "nearest"]  # transposed convolutions, or convolutions after an enlargement


def instance_norm(channels: int) -> nn.InstanceNorm2d:
    """Instance normalisation as CycleGAN uses it: eps 1e-5, no parameters, no running statistics."""
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=False, track_running_stats=False)


class ResnetBlock(nn.Module):
    """x + F(x), F two 3x3 convolutions with reflection padding; [N, C, H, W] in and out, no activation at the end.

    Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks (2017), appendix 7.2.
    """

    def __init__(self, channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            instance_norm(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            instance_norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class ResizeConv2d(nn.Conv2d):
    """[N, C, H, W] to twice the sides: nearest neighbours, then a 3x3 convolution with reflection padding.

    It stands where a transposed convolution would, and leaves no checkerboard.
    Odena et al., Deconvolution and Checkerboard Artifacts (2016).
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        enlarged = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return super().forward(F.pad(enlarged, (1, 1, 1, 1), mode="reflect"))


def init_normal(module: nn.Module, std: float = 0.02) -> None:
    """Draws every convolution's and linear layer's weight from N(0, std) and sets its bias to 0, in place."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_spectral(module: nn.Module) -> None:
    """`init_normal`, and from then on every convolution's weight is divided by its spectral norm, in place.

    Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018); one power iteration per forward.
    """
    init_normal(module)
    for layer in list(module.modules()):
        if isinstance(layer, nn.Conv2d):
            spectral_norm(layer)
