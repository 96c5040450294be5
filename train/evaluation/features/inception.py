"""Inception v3 as a feature net, in the two layouts whose weights people have.

Szegedy et al., Rethinking the Inception Architecture for Computer Vision (2016). The layers are torchvision's. FID's
own network, which came with TensorFlow and on which published numbers rest, pools otherwise in nine blocks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import inception

SIDE = 299  # px that it was trained at
FEATURES = 2048
CLASSES = {1000: "torchvision", 1008: "fid"}  # what the last layer's size says about the layout


class _Within:
    """A block whose averages leave the padding out."""

    def _forward(self, x: Tensor) -> list[Tensor]:
        parts: list[Tensor] = super()._forward(x)  # type: ignore[misc]
        parts[-1] = self.branch_pool(self.pool(x))  # type: ignore[attr-defined]
        return parts

    def pool(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _A(_Within, inception.InceptionA): ...


class _C(_Within, inception.InceptionC): ...


class _E(_Within, inception.InceptionE): ...


class _Last(_E):
    """The last block takes maxima instead."""

    def pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 3, 1, 1)


class Inception(nn.Module):
    """Images [N, 3, 299, 299] in [-1, 1] to the averages [N, 2048] of its last block; always in evaluation mode.

    `classes` 1008 is FID's layout, 1000 torchvision's. Their values are not comparable.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        blocks = None
        if CLASSES[classes] == "fid":
            blocks = [inception.BasicConv2d, _A, inception.InceptionB, _C, inception.InceptionD, _E]
            blocks.append(inception.InceptionAux)
        self.network = inception.Inception3(classes, aux_logits=False, inception_blocks=blocks, init_weights=False)
        if CLASSES[classes] == "fid":
            self.network.Mixed_7c = _Last(FEATURES)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Inception:
        """Stays in evaluation mode."""
        super().train(False)
        return self

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for name, part in self.network.named_children():
            if name == "dropout":
                break
            x = part(x)
        return torch.flatten(x, 1)
