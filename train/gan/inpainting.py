"""Images with holes, for generators that are to learn what lies behind things."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from curate.train.engine.rng import rand, to_device

BLOCKS = 8  # a side
TAKEN = 0.4  # the share of blocks that are taken out, each for itself


def without_blocks(images: Tensor) -> Tensor:
    """`images` [N, 3, H, W] in [-1, 1], two in five of their 8 x 8 blocks grey (0).

    As in Torbunov et al., UVCGAN (2023): blocks of 32 px of 256, 40 % of them.
    """
    kept = to_device(rand(len(images), 1, BLOCKS, BLOCKS) >= TAKEN, images.device)
    return images * F.interpolate(kept.to(images), images.shape[2:], mode="nearest")
