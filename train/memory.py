"""When memory runs out: which batch would have fitted, found by trying."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch

from pipeline.errors import CurateError
from train.recipe import Batch, Clock, Recipe


def ran_out(error: BaseException) -> bool:
    """Whether `error` is torch's word for memory that ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def too_much(batch: int, fits: int, parts: int) -> CurateError:
    """The error for a step of `batch` images at once where only `fits` do, in a run that has `parts` of them a step."""
    if not fits:
        return CurateError(
            "memory ran out: not even a batch of 1 fits",
            "lower data.size or the model's widths, or set run.precision bf16; who else uses a GPU says nvidia-smi",
        )
    more = -(-batch * parts // fits)
    return CurateError(
        f"memory ran out with run.batch {batch}; {fits} would fit",
        f"--set run.batch={fits} --set run.accumulate={more} takes as many images a step, in {more} parts; "
        "the last checkpoint stands",
    )


def most(recipe: Recipe, batches: Callable[[int], Batch], step: int, total: int) -> int:
    """The most images of `step`'s batch, halved until it does, that go through a step of `recipe`; 0 if not one does.

    No optimiser steps; random numbers, pools and averages are used up, so that the recipe is of no use afterwards.
    """
    batch = batches(step)
    count = len(next(iter(batch.values()))) // 2
    while count:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            _rehearse(recipe, {key: images[:count] for key, images in batch.items()}, Clock(step, total))
            return count
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        count //= 2
    return 0


def _rehearse(recipe: Recipe, batch: Batch, clock: Clock) -> None:
    """One step's gradients, of every optimiser, with the moments that its first step would make."""
    moments: list[Any] = []
    for update in recipe.step(batch, clock):
        optimizer = recipe.optimizers[update.optimizer]
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
        torch.stack([loss.float() for loss in update.losses.values()]).sum().backward(inputs=parameters)
        if not optimizer.state:
            moments += [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
        if not update.more:
            optimizer.zero_grad(set_to_none=True)
