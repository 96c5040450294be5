"""The one training loop. It knows optimisers, seeds, precision and checkpoints, and no formula."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pipeline.errors import CurateError
from train.checkpoint import Store
from train.meter import Meter, Scalars
from train.recipe import Batch, Clock, Recipe, Update
from train.seeding import seed_of

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Plan:
    """How a run goes, apart from its formulas."""

    steps: int  # in all
    seed: int = 0
    precision: Precision = "fp32"  # bf16: networks under autocast, losses in fp32
    tick: int = 50  # steps between two readings of the losses
    checkpoint_every: int = 500  # steps
    store: Store | None = None  # where checkpoints go; None keeps none and resumes nothing
    stop: Callable[[], bool] = lambda: False  # asked between steps: True saves and raises KeyboardInterrupt


def train(
    recipe: Recipe,
    batches: Callable[[int], Batch],
    plan: Plan,
    on_tick: Callable[[Clock, Scalars], None],
) -> None:
    """Trains `recipe` until `plan.steps` steps are done, going on from the last checkpoint in `plan.store`.

    `batches(step)` must be a pure function. `on_tick(clock, scalars)` is called every `plan.tick` steps and at the end,
    before the checkpoint of that step, with the mean of each loss since the last call; so what it writes is written
    again, and the same, when a run is killed and goes on. Raises CurateError when a loss is not finite and
    KeyboardInterrupt, after saving, when `plan.stop` says so.
    """
    for optimizer in recipe.optimizers.values():
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
    meter = Meter()
    step = plan.store.restore(recipe, meter) if plan.store else 0
    while step < plan.steps:
        clock = Clock(step, plan.steps)
        torch.manual_seed(seed_of(plan.seed, step))
        for update in _updates(recipe, batches(step), clock, plan.precision):
            _apply(recipe, update, clock, meter)
        step += 1
        last, stopped = step == plan.steps, plan.stop()
        if last or step % plan.tick == 0:
            on_tick(Clock(step, plan.steps), meter.read(_where(recipe, step)))
        if plan.store and (last or stopped or step % plan.checkpoint_every == 0):
            _check_weights(recipe, step)
            plan.store.save(step, recipe, meter)
        if stopped and not last:
            raise KeyboardInterrupt


def _updates(recipe: Recipe, batch: Batch, clock: Clock, precision: Precision) -> Iterator[Update]:
    """The updates of one step. Autocast is entered anew for each, so that weights are cast after every change."""
    device, half = _device(recipe).type, precision == "bf16"
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


def _apply(recipe: Recipe, update: Update, clock: Clock, meter: Meter) -> None:
    """One optimiser step on the sum of the update's losses; no other parameter gets a gradient."""
    optimizer = recipe.optimizers[update.optimizer]
    groups = optimizer.param_groups
    parameters = [p for group in groups for p in group["params"] if p.requires_grad]
    optimizer.zero_grad(set_to_none=True)
    torch.stack([loss.float() for loss in update.losses.values()]).sum().backward(inputs=parameters)
    meter.add(update.optimizer, update.losses)
    meter.add("seen", update.seen)
    if _device(recipe).type == "cpu":  # elsewhere asking would wait for the device: there the ticks tell
        _check_losses(recipe, update.losses, clock.step + 1)
    factor = recipe.schedule(clock)
    for group in groups:
        group["lr"] = group["initial_lr"] * factor
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)  # frees their memory while the other networks take their turn


def _check_losses(recipe: Recipe, losses: Mapping[str, Tensor], step: int) -> None:
    for name, loss in losses.items():
        if not torch.isfinite(loss):
            raise CurateError(
                f"{_where(recipe, step)}: the loss {name} is {loss.item()}",
                "the last checkpoint stands; lower model.lr, or use run.precision fp32",
            )


def _check_weights(recipe: Recipe, step: int) -> None:
    """A checkpoint never holds broken weights, also where a loss is only read on ticks."""
    for name, value in recipe.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CurateError(
                f"{_where(recipe, step)}: {name} is no longer finite",
                "the last checkpoint stands; lower model.lr, or use run.precision fp32",
            )


def _where(recipe: Recipe, step: int) -> str:
    return f"{type(recipe).__name__}, step {step}"


def _device(recipe: Recipe) -> torch.device:
    first: Tensor = next(iter(recipe.optimizers.values())).param_groups[0]["params"][0]
    return first.device
