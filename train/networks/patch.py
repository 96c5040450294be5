"""The discriminator that judges patches."""

from __future__ import annotations

from torch import Tensor, nn

from train.networks.blocks import init_normal, instance_norm


class PatchDiscriminator(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to a map [N, 1, h, w] of raw scores, one per overlapping patch.

    With 3 layers a patch is 70 px and 256 px give a 30x30 map; with ndf 64 it has 2,764,737 parameters. Layers stand in
    `model` at the indices of the official code. Isola et al., Image-to-Image Translation with Conditional Adversarial
    Networks (2017), appendix 6.1.2; normalised as in Zhu et al. (2017).
    """

    def __init__(self, ndf: int = 64, layers: int = 3) -> None:
        super().__init__()
        stack: list[nn.Module] = [nn.Conv2d(3, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        width = ndf
        for depth in range(1, layers + 1):
            wider = ndf * min(2**depth, 8)
            stride = 2 if depth < layers else 1
            stack += [
                nn.Conv2d(width, wider, 4, stride=stride, padding=1),
                instance_norm(wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width = wider
        self.model = nn.Sequential(*stack, nn.Conv2d(width, 1, 4, padding=1))
        init_normal(self)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.model(images)
        return scores
