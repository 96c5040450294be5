"""Memory of a run: freed blocks are kept for the next step; and when it runs out, which batch would have fitted."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any

import torch

from curate.pipeline.core.errors import CurateError
from curate.train.engine.contract import Batch, Clock, Recipe

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h

WORDS = ("can't allocate memory", "could not create a primitive", "std::bad_alloc")  # torch's and oneDNN's, on a CPU


def keep_freed_blocks() -> None:
    """From now on glibc keeps what a step frees for the next one, instead of giving it back and asking for it again.

    A step on a CPU allocates and frees gigabytes: handing them to the kernel each time costs a page fault per 4 KiB, up
    to a sixth of the step. The peak stays. Does nothing where there is no glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)  # large blocks come from the heap, too
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is torch's word for memory that ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)


def out_of_memory_error(batch: int, fits: int, parts: int, again: str = "the same command with") -> CurateError:
    """The error for a step of `batch` images at once where only `fits` do, in a run that has `parts` of them a step.

    `again` are the words before the options that mend it.
    """
    if not fits:
        return CurateError(
            "memory ran out: not even a batch of 1 fits",
            f"{again} --fresh --set data.size=N, a smaller one, or narrower networks; who else uses a GPU: nvidia-smi",
        )
    more = -(-batch * parts // fits)
    return CurateError(
        f"memory ran out with run.batch {batch}; {fits} would fit",
        f"{again} --set run.batch={fits} --set run.accumulate={more}, for a step of {more} parts",
    )


def largest_batch(recipe: Recipe, batches: Callable[[int], Batch], step: int, total: int) -> int:
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
            _trial_step(recipe, {key: images[:count] for key, images in batch.items()}, Clock(step, total))
            return count
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        count //= 2
    return 0


def _trial_step(recipe: Recipe, batch: Batch, clock: Clock) -> None:
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
