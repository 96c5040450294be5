"""The contract between a recipe and the loop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from torch import Tensor
from torch.optim import Optimizer

from curate.pipeline.core.config import Section

Batch = Mapping[str, Tensor]
"""Images float32 [N, 3, H, W] in [-1, 1] under the keys that the pairing sets: "a" and "b" for two domains."""


@dataclass(frozen=True)
class Clock:
    """Where a run stands: `step` steps of `total` are done."""

    step: int
    total: int

    @property
    def progress(self) -> float:
        """The share of the run that is done: [0, 1) during a step, 1 at the end."""
        return self.step / self.total

    def ramp(self, share: float) -> float:
        """From 0 to 1 over the first `share` of the run; 1 all along for a share of 0."""
        return min(1.0, self.progress / share) if share else 1.0

    def every(self, n: int) -> bool:
        """Whether this is one of the steps 0, n, 2n, ..."""
        return self.step % n == 0


@dataclass(frozen=True)
class Update:
    """One optimiser step: the optimiser's name and the weighted scalar losses, which the loop sums.

    With `more`, only a part of one: its graph is freed before the next part's is built, which is what that is for.
    """

    optimizer: str
    losses: Mapping[str, Tensor]
    seen: Mapping[str, Tensor] = field(default_factory=dict)  # scalars that are logged, and not trained on
    more: bool = False  # the next update of this optimiser adds to its gradients, and it steps then


class Recipe(Protocol):
    """An nn.Module that knows its formulas and nothing of the loop. It is built as `Recipe(Config(...))`.

    `step` is a generator: it computes losses and yields an Update; when it is resumed, that optimiser has stepped,
    unless the update said `more`. Neither no_grad nor autocast may be held open across a yield. Random numbers come
    from engine.rng, from torch's global generator, which the loop seeds for each step. Everything that must survive a
    restart is a parameter, a buffer or a tensor of Module extra state. Samples, translation and evaluation all
    come from `render`.
    """

    Config: ClassVar[type[Section]]  # the keys of train.NAME.model in params.yaml
    optimizers: Mapping[str, Optimizer]

    @staticmethod
    def keys(config: Any) -> Collection[str]:
        """The keys of a batch for a recipe of this `config`: "a" and "b", or "human", "article" and "other"."""

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        """The updates of one step, in the paper's order."""

    def schedule(self, clock: Clock) -> float:
        """What the initial learning rates are multiplied with: a pure function of where the run stands."""

    def render(self, batch: Batch) -> Batch:
        """What the networks make of `batch`, images in [-1, 1]; for two domains "a2b" for "a" and "b2a" for "b"."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...
