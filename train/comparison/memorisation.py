"""Whether networks give training pictures back: how near what they make comes to one, beside pictures never seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from curate.train.comparison.scores import Score, mean


@dataclass(frozen=True)
class Nearest:
    """For each made picture the training picture that is nearest in a feature net's eyes."""

    index: Tensor  # int64 [N], of the training picture
    ratio: Tensor  # [N], its distance, as a share of that of held-out pictures from the one nearest to them

    def score(self, resamples: int) -> Score:
        """The mean ratio: 1 where made pictures are as far from the training pictures as unseen ones, 0 for copies."""
        return mean(self.ratio, resamples, 1.0)


def nearest(made: Tensor, held_out: Tensor, training: Tensor) -> Nearest:
    """Of features [2, N, d], [2, M, d] and [T, d]; the first two of pictures and of their mirror images, since a
    picture that was mirrored while it trained is one, too. N, M and T are 1 at the least.
    """
    apart, index = _to_nearest(made, training)
    usual, _ = _to_nearest(held_out, training)
    return Nearest(index, apart / usual.mean().clamp_min(1e-12))


def _to_nearest(pictures: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """How far each of `pictures`, or its mirror image, is from the nearest of `training`, [N], and which that is."""
    count = pictures.shape[1]
    # The plain way of computing distances: by products, those of equal features would not be 0.
    between = torch.stack(
        [
            torch.cdist(part.double(), training.double(), compute_mode="donot_use_mm_for_euclid_dist")
            for part in pictures
        ]
    ).amin(0)
    assert between.shape == (count, len(training))
    found = between.min(1)
    return found.values, found.indices
