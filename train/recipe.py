"""The contract between a recipe and the loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.optim import Optimizer

Batch = Mapping[str, Tensor]
"""Images float32 [N, 3, H, W] in [-1, 1] under the keys that the pairing sets: "a" and "b" for two domains."""


@dataclass(frozen=True)
class Clock:
    """Where a run stands: `step` of `total`, counted from 0."""

    step: int
    total: int

    @property
    def progress(self) -> float:
        """The share of the run that is done, in [0, 1)."""
        return self.step / self.total

    def every(self, n: int) -> bool:
        """Whether this is one of the steps 0, n, 2n, ..."""
        return self.step % n == 0


@dataclass(frozen=True)
class Update:
    """One optimiser step: the optimiser's name and the weighted scalar losses, which the loop sums."""

    optimizer: str
    losses: Mapping[str, Tensor]


@runtime_checkable
class Recipe(Protocol):
    """An nn.Module that knows its formulas and nothing of the loop.

    `step` is a generator: it computes losses and yields an Update; when it is resumed, that optimiser has stepped.
    Neither no_grad nor autocast may be held open across a yield. Everything that must survive a restart is a
    parameter, a buffer or Module extra state. `render` is the only door for samples, translation and evaluation.
    """

    optimizers: Mapping[str, Optimizer]

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]: ...

    def render(self, batch: Batch) -> Mapping[str, Tensor]: ...
