"""What a run will take in memory and time: tensors are counted, and a few of its own steps are made and measured."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from curate.train.engine import memory
from curate.train.engine.contract import Batch, Clock, Recipe
from curate.train.engine.loop import LoopConfig, train
from curate.train.runs.config import RunConfig
from curate.train.trainer.data_module import DataModule

STEPS = 4  # measured at the most, the first of them to warm up
ENOUGH = 15.0  # s after which no further step is started
ROOM = 0.6  # of the free memory that weights, gradients and moments may take, for a step to be tried


@dataclass(frozen=True)
class Estimate:
    """Bytes and seconds. What was measured is None where it was not, and `basis` says why, or how it was."""

    weights: int  # parameters and buffers, moving averages too
    gradients: int  # of the optimiser that has the most
    moments: int  # of the optimisers, once they have stepped
    activations: int | None  # kept for the way back, at the most at once, in one step
    memory: int | None  # all of these
    free: int | None  # now
    step: float | None
    run: float | None  # all steps, without samples, measurements and checkpoints
    checkpoint: int
    basis: str


def estimate(recipe: Recipe, data_module: DataModule, config: RunConfig, steps: int) -> Estimate:
    """What `steps` steps of `recipe` with this config take. Trains it a little, so it is of no use afterwards.

    Where weights and moments alone are too large for a trial, only they are counted.
    """
    weights = sum(_bytes(value) for value in recipe.state_dict().values())
    trained = {name: [p for p in _parameters(o) if p.requires_grad] for name, o in recipe.optimizers.items()}
    gradients = max(sum(_bytes(p) for p in parameters) for parameters in trained.values())
    moments = 2 * sum(_bytes(p) for parameters in trained.values() for p in parameters)  # Adam's
    device = next(iter(recipe.state_dict().values())).device
    free = _free(device)
    known = weights + gradients + moments
    activations: int | None = None
    seconds: list[float] = []
    if free is not None and gradients + moments > ROOM * free:
        basis = f"not measured: weights, gradients and moments take {_size(known)}, free are {_size(free)}"
    else:
        basis, activations, seconds = _measured(recipe, data_module, config, steps, device)
    step = median(seconds) if seconds else None
    whole = None if activations is None else known + activations
    whole_run = None if step is None else step * steps
    return Estimate(
        weights=weights,
        gradients=gradients,
        moments=moments,
        activations=activations,
        memory=whole,
        free=free,
        step=step,
        run=whole_run,
        checkpoint=weights + moments,
        basis=basis,
    )


def format_lines(result: Estimate) -> list[str]:
    """The estimate as lines of text."""
    parts = f"weights {_size(result.weights)}, gradients {_size(result.gradients)}, moments {_size(result.moments)}"
    if result.activations is not None:
        parts += f", activations {_size(result.activations)}"
    free = f" of {_size(result.free)} free" if result.free is not None else ""
    whole = _size(result.memory) if result.memory is not None else "not measured"
    timed = "not measured"
    if result.step is not None and result.run is not None:
        timed = f"{duration(result.run)}: {result.step:.3g} s a step, without samples and measurements"
    return [
        f"  memory: {whole}{free}: {parts}",
        f"    time: {timed}",
        f"    disk: {_size(result.checkpoint)} a checkpoint",
        f"   basis: {result.basis}",
    ]


def duration(seconds: float) -> str:
    """A time to wait, in the two largest units that it has: 3d04h, 2h05m, 4m10s, 9s."""
    whole = round(seconds)
    for unit, size, part, smaller in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller:02}{part}"
    return f"{whole}s"


def _measured(
    recipe: Recipe, data_module: DataModule, config: RunConfig, steps: int, device: torch.device
) -> tuple[str, int | None, list[float]]:
    """In words what was measured; the most bytes of activations; the seconds of each step after the first."""
    saved, stack, started = _SavedTensors(recipe.state_dict().values()), ExitStack(), [time.monotonic()]
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0

    def batch(step: int) -> Batch:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if step == 0:
            stack.enter_context(torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack))
        else:
            stack.close()
        started.append(time.monotonic())
        return data_module.batches(step)

    def enough() -> bool:
        return time.monotonic() - started[0] > ENOUGH and len(started) > 2

    try:
        with stack:
            train(
                recipe,
                batch,
                LoopConfig(
                    min(STEPS, steps), config.seed, config.make_precision(), stop=enough, accumulate=config.accumulate
                ),
                _ignore,
            )
    except KeyboardInterrupt:
        if not enough():
            raise
    except (RuntimeError, MemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise
        return "not measured: memory ran out; lower run.batch, or raise run.accumulate", None, []
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    times = [*started[1:], time.monotonic()]
    seconds = [after - at for at, after in pairwise(times)]
    timed = seconds[1:] or seconds
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    basis = f"{len(timed)} steps on {device.type}{threads}{', after one to warm up' if seconds[1:] else ''}"
    most = saved.most
    if device.type == "cuda":
        most = torch.cuda.max_memory_allocated(device) - before
    return basis, most, timed


def _ignore(clock: Clock, scalars: Any) -> None:
    """A trial is not shown."""


class _SavedTensors:
    """Counts what autograd keeps for the way back: each storage once, as long as anything holds it."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.now = self.most = 0
        self._holders = {_storage(value): 1 for value in weights}  # counted as weights

    def pack(self, value: Tensor) -> _SavedTensor:
        key, size = _storage(value), value.untyped_storage().nbytes()
        self._holders[key] = self._holders.get(key, 0) + 1
        if self._holders[key] == 1:
            self.now += size
            self.most = max(self.most, self.now)
        return _SavedTensor(self, value, key, size)

    def unpack(self, saved: _SavedTensor) -> Tensor:
        return saved.value

    def drop(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            del self._holders[key]
            self.now -= size


class _SavedTensor:
    """A tensor that autograd keeps; when it is dropped, it no longer counts."""

    def __init__(self, counter: _SavedTensors, value: Tensor, key: int, size: int) -> None:
        self.value, self._counter, self._key, self._size = value, counter, key, size

    def __del__(self) -> None:
        self._counter.drop(self._key, self._size)


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _bytes(value: Tensor) -> int:
    return value.numel() * value.element_size()


def _free(device: torch.device) -> int | None:
    """Bytes that are free on `device`; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
