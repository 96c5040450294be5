"""Features of the latest images that a discriminator learnt from, so that it sees many where a batch has one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from curate.train.engine.rng import current_batch_slice


class FeatureQueue(nn.Module):
    """The features of the latest `capacity` real images and of as many fakes; 0 keeps none.

    Torbunov et al., UVCGAN v2 (2023). They are extra state, so a resumed run goes on as if it had never stopped. Each
    of several processes keeps the features of all, so that all have the same.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self._kept = torch.empty(0)  # [2, n, C, h, w], real ones first

    def earlier(self, *, real: bool, like: Tensor) -> Tensor:
        """The features of earlier images, [n, C, h, w], where those of this step, `like` [N, C, h, w], are."""
        if not self._kept.numel():
            return like.new_empty(0, *like.shape[1:])
        return self._kept[0 if real else 1].to(like)

    @torch.no_grad()
    def push(self, real: Tensor, fake: Tensor) -> None:
        """Takes in the features [N, C, h, w] of this step's images, and lets as many of the oldest go."""
        gather = current_batch_slice().gather
        new = torch.stack([gather(part.detach().float()) for part in (real, fake)])
        joined = torch.cat([self._kept.to(new), new], 1) if self._kept.numel() else new
        self._kept = joined[:, max(0, joined.shape[1] - self.capacity) :].clone()  # a view would keep all

    def get_extra_state(self) -> Tensor:
        """What is kept, [2, n, C, h, w]; [0] when there is nothing."""
        return self._kept.clone()

    def set_extra_state(self, state: Tensor) -> None:
        self._kept = state.clone()
