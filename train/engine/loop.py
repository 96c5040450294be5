"""The one training loop. It knows optimisers, seeds, processes and checkpoints, and no formula."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.contract import Batch, Clock, Recipe, Update
from curate.train.engine.distributed import ALONE, World
from curate.train.engine.meter import Meter, NotFiniteError, Scalars
from curate.train.engine.precision import Precision
from curate.train.engine.rng import BatchSlice, derive_seed, using_batch_slice


@dataclass(frozen=True)
class LoopConfig:
    """How a run goes, apart from its formulas."""

    steps: int  # in all
    seed: int = 0
    precision: Precision = field(default_factory=Precision)
    tick: int = 50  # steps between two readings of the losses
    checkpoint_every: int = 500  # steps
    checkpoints: CheckpointManager | None = None  # where they go; None keeps none and resumes nothing
    stop: Callable[[], bool] = lambda: False  # asked between steps: True saves and raises KeyboardInterrupt
    accumulate: int = 1  # parts that a batch goes through the networks in, one after the other
    world: World = ALONE  # the processes that train together


def train(
    recipe: Recipe,
    batches: Callable[[int], Batch],
    loop_config: LoopConfig,
    on_tick: Callable[[Clock, Scalars], None],
) -> None:
    """Trains `recipe` until `loop_config.steps` steps are done, going on from the last of `loop_config.checkpoints`.

    `batches(step)`, the images of this process, must be a pure function. `on_tick(clock, scalars)` is called every
    `loop_config.tick` steps and at the end, before the checkpoint of that step, with the mean of each loss since the
    last call; so what it writes is written again, and the same, when a run is killed and goes on. Of several processes,
    only the first calls it, and saves. Raises NotFiniteError for a loss or a weight and KeyboardInterrupt, after
    saving, when `loop_config.stop` says so.
    """
    for optimizer in recipe.optimizers.values():
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
    precision, checkpoints, world = loop_config.precision, loop_config.checkpoints, loop_config.world
    meter, total = Meter(), loop_config.steps
    precision.prepare(recipe)
    step = checkpoints.restore(recipe, meter) if checkpoints else 0
    world.check_same_step(step)
    world.broadcast(list(recipe.state_dict().values()))
    with precision.running():
        while step < total:
            _step(recipe, precision.in_layout(batches(step)), Clock(step, total), loop_config, meter)
            step += 1
            last, stopped = step == total, world.any(loop_config.stop())
            if last or step % loop_config.tick == 0:
                meter.average(world.average)
                scalars = meter.read(_where(recipe, step))
                if world.rank == 0:
                    with precision.uncompiled():
                        on_tick(Clock(step, total), scalars)
            if checkpoints and (last or stopped or step % loop_config.checkpoint_every == 0):
                _check_weights(recipe, step)
                meter.average(world.average)
                if world.rank == 0:
                    checkpoints.save(step, recipe, meter)
            if stopped and not last:
                raise KeyboardInterrupt


def _step(recipe: Recipe, batch: Batch, clock: Clock, loop_config: LoopConfig, meter: Meter) -> None:
    """One step: its parts take turns, so that every optimiser steps once, on the gradients of all of them."""
    torch.manual_seed(derive_seed(loop_config.seed, clock.step))
    precision, world, count = loop_config.precision, loop_config.world, loop_config.accumulate
    precision.start_step()
    batch_slices = [BatchSlice(part, count, world.rank, world.size, world.gather) for part in range(count)]
    parts = [_updates(recipe, part, clock, precision) for part in _split(batch, count)]
    waiting: set[str] = set()  # optimisers with gradients that more will be added to
    while True:
        random = _random_state(recipe) if count > 1 else []
        update = None
        for number, (batch_slice, part) in enumerate(zip(batch_slices, parts, strict=True)):
            if number:
                _set_random_state(random)  # draws are for all of the step's images: each part makes the same ones
            with using_batch_slice(batch_slice):
                update = next(part, None)
            if update is not None:
                _backward(recipe, update, clock, count, meter)
        if update is None:
            break
        waiting.add(update.optimizer)
        if not update.more:
            waiting.remove(update.optimizer)
            _optimise(recipe, update.optimizer, clock, world)
    if waiting:
        raise RuntimeError(f"{type(recipe).__name__}.step promised more for {', '.join(sorted(waiting))} and ended")


def _split(batch: Batch, count: int) -> Iterator[Batch]:
    """`batch` in `count` parts of equal size."""
    chunks = {key: images.chunk(count) for key, images in batch.items()}
    return ({key: chunk[part] for key, chunk in chunks.items()} for part in range(count))


def _updates(recipe: Recipe, batch: Batch, clock: Clock, precision: Precision) -> Iterator[Update]:
    """The updates of one step. Autocast is entered anew for each, so that weights are cast after every change."""
    device, half = _device(recipe).type, precision.dtype == "bf16"
    updates = recipe.step(batch, clock)
    while True:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            update = next(updates, None)
            if not torch.is_grad_enabled() or torch.is_autocast_enabled(device) != half:
                del updates  # closes the generator, and with it the block that it holds
                raise RuntimeError(f"{type(recipe).__name__}.step holds a no_grad or autocast block across a yield")
        if update is None:
            return
        yield update


def _backward(recipe: Recipe, update: Update, clock: Clock, parts: int, meter: Meter) -> None:
    """Adds the gradients of the update's losses, one of `parts`; no other parameter gets a gradient."""
    total = torch.stack([loss.float() for loss in update.losses.values()]).sum()
    (total / parts if parts > 1 else total).backward(inputs=_parameters(recipe, update.optimizer))
    meter.add(update.optimizer, update.losses)
    meter.add("seen", update.seen)
    if _device(recipe).type == "cpu":  # elsewhere this would wait for the device: there they are checked on ticks
        _check_losses(recipe, update.losses, clock.step + 1)


def _optimise(recipe: Recipe, name: str, clock: Clock, world: World) -> None:
    """One optimiser step on the gradients that are there, averaged over all processes."""
    optimizer = recipe.optimizers[name]
    world.average([p.grad for p in _parameters(recipe, name) if p.grad is not None])
    factor = recipe.schedule(clock)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)  # frees their memory while the other networks take their turn


def _parameters(recipe: Recipe, optimizer: str) -> Sequence[Tensor]:
    groups = recipe.optimizers[optimizer].param_groups
    return [parameter for group in groups for parameter in group["params"] if parameter.requires_grad]


def _random_state(recipe: Recipe) -> list[Tensor]:
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state()] if _device(recipe).type == "cuda" else states


def _set_random_state(states: Sequence[Tensor]) -> None:
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)


def _check_losses(recipe: Recipe, losses: Mapping[str, Tensor], step: int) -> None:
    for name, loss in losses.items():
        if not torch.isfinite(loss):
            raise NotFiniteError(f"{_where(recipe, step)}: the loss {name} is {loss.item()}")


def _check_weights(recipe: Recipe, step: int) -> None:
    """A checkpoint never holds broken weights, also where a loss is only read on ticks."""
    for name, value in recipe.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise NotFiniteError(f"{_where(recipe, step)}: {name} is no longer finite")


def _where(recipe: Recipe, step: int) -> str:
    return f"{type(recipe).__name__}, step {step}"


def _device(recipe: Recipe) -> torch.device:
    first: Tensor = next(iter(recipe.optimizers.values())).param_groups[0]["params"][0]
    return first.device
