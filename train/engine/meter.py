"""Losses summed where they are made, and read now and then: reading is the only wait for the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from curate.pipeline.core.errors import CurateError

Scalars = Mapping[str, float]
"""Named numbers: "G/cycle_a" is the loss cycle_a of the optimiser G, "seen/..." what a recipe only logs."""


class NotFiniteError(CurateError):
    """A loss or a weight that is no number: the run has diverged, and its last checkpoint has not."""

    def __init__(self, message: str, hint: str = "the last checkpoint stands; lower model.lr") -> None:
        super().__init__(message, hint)


class Meter:
    """The sum and the number of each loss since the last reading."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, optimizer: str, losses: Mapping[str, Tensor]) -> None:
        """Counts the losses of one update in, without waiting for them."""
        for loss, value in losses.items():
            name = f"{optimizer}/{loss}"
            value = value.detach().float()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def average(self, over_processes: Callable[[Sequence[Tensor]], None]) -> None:
        """Puts the mean over all processes, which have counted alike, into the sums."""
        sums = {name: total.clone() for name, total in self._sums.items()}
        over_processes(list(sums.values()))
        self._sums = sums

    def read(self, where: str) -> Scalars:
        """The mean of each loss, and a fresh start. Raises NotFiniteError, naming `where`."""
        sums = torch.stack(list(self._sums.values())).tolist() if self._sums else []
        means = {name: total / self._counts[name] for name, total in zip(self._sums, sums, strict=True)}
        broken = [name for name, mean in means.items() if not math.isfinite(mean)]
        if broken:
            raise NotFiniteError(f"{where}: the loss {broken[0]} is {means[broken[0]]} since the last reading")
        self._sums, self._counts = {}, {}
        return means

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """What a run that goes on needs: sums and counts by name."""
        return dict(self._sums), dict(self._counts)

    def restore(self, sums: Mapping[str, Tensor], counts: Mapping[str, int]) -> None:
        """The meter as it was when `state` was asked, in the order of `counts`."""
        self._sums, self._counts = {name: sums[name] for name in counts}, dict(counts)
