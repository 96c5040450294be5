"""PatchGAN: a discriminator of overlapping patches."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from curate.train.networks.blocks import init_normal, init_spectral, instance_norm

PatchNorm = Literal["instance", "spectral"]


class PatchDiscriminator(nn.Module):
    """Images [N, inputs, H, W] in [-1, 1] to a map [N, 1, h, w] of raw scores, one per overlapping patch.

    With 3 layers a patch is 70 px and 256 px give a 30x30 map; with width 64 it has 2,764,737 parameters. Layers stand
    in `model` at the indices of the official code. Isola et al., Image-to-Image Translation with Conditional
    Adversarial Networks (2017), appendix 6.1.2; normalised as in Zhu et al. (2017), or, with `norm` spectral, by
    nothing but the spectral norm of its convolutions' weights.
    """

    def __init__(self, width: int = 64, layers: int = 3, inputs: int = 3, norm: PatchNorm = "instance") -> None:
        super().__init__()
        self.stride = 2**layers  # px of the images from one place of the map to the next
        stack: list[nn.Module] = [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        channels = width
        for depth in range(1, layers + 1):
            wider = width * min(2**depth, 8)
            stride = 2 if depth < layers else 1
            stack += [
                nn.Conv2d(channels, wider, 4, stride=stride, padding=1),
                instance_norm(wider) if norm == "instance" else nn.Identity(),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        self.model = nn.Sequential(*stack, nn.Conv2d(channels, 1, 4, padding=1))
        if norm == "spectral":
            init_spectral(self)
        else:
            init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.model(images)
        return scores
