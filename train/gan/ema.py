"""A network that follows another one: the moving average of its weights."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn


class EMA(nn.Module):
    """The exponential moving average of `network`; called like it, never trained itself.

    Karras et al., Progressive Growing of GANs (2018), section 4.1 of the appendix. `decay` is per step; early on it is
    less, so that the first random weights do not linger in short runs.
    """

    def __init__(self, network: nn.Module, decay: float = 0.0) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._last_step = -1  # the step, so that the parts of one count once

    def forward(self, *inputs: Tensor) -> object:
        return self.network(*inputs)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int, decay: float | None = None) -> Self:
        """Moves towards `network` as it stands after `step`, counted from 0; again after the same one does nothing.

        `decay` of this step instead of its own, as it is.
        """
        if step == self._last_step:
            return self
        self._last_step = step
        if decay is None:
            decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)
        for mine, theirs in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(theirs)
        return self
