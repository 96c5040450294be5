"""Maps a worker over batches, in this process, on a pool of processes or on a cluster: the one seam for parallel work.

A worker is made once per process by `make(**settings)` and then called with one batch after the other, so that a
detector or a model file is loaded once. `make` must be importable by name and `settings` and batches picklable.
Results come in the order of the batches whichever engine runs them, and a bounded number are under way at once, so
memory does not grow with the number of batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from curate.pipeline.core import interrupt, process_pool
from curate.pipeline.core.config import NonNegative, Positive, Section
from curate.pipeline.core.process_pool import Batch, Result
from curate.pipeline.core.process_pool import WorkerDied as WorkerDied


class Engine(Section, frozen=True, kw_only=True):
    """How batches are run."""

    kind: Literal["inline", "process", "ray"] = "process"  # in this process, in processes beside it, or on Ray
    workers: NonNegative = 0  # processes; 0 = one per core, of the cluster with ray
    batch: Positive = 16  # images per batch
    address: str | None = None  # ray: of the cluster; None: one is started on this machine


def cores(section: Engine) -> int:
    """Worker processes that `section` asks for: `workers`, or every core this process may use."""
    if section.workers:
        return section.workers
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def run(
    make: Callable[..., Callable[[Batch], Result]],
    settings: Mapping[str, Any],
    batches: Iterable[Batch],
    section: Engine,
) -> Iterator[Result | WorkerDied[Batch]]:
    """Yields make(**settings)(batch) for each batch, in order.

    On a pool or a cluster, a batch that kills its worker is tried once more alone and then yielded as WorkerDied; an
    exception raised by the worker itself, or by `make`, is raised here. Raises UsageError for a cluster that is not
    there or without Ray, and KeyboardInterrupt for Ctrl-C once the batches that were begun then have been yielded.
    """
    if section.kind == "ray":
        from curate.pipeline.core import ray_cluster

        yield from ray_cluster.run(make, settings, batches, section.workers, section.address)
    elif section.kind == "inline" or cores(section) == 1:
        worker = make(**settings)
        with interrupt.deferred() as interrupted:
            for batch in batches:
                if interrupted():
                    return
                yield worker(batch)
    else:
        yield from process_pool.run(make, settings, batches, cores(section))
