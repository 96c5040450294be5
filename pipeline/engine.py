"""Maps a worker over batches, in this process or on a pool of processes: the one seam for parallel work.

A worker is made once per process by `make(**settings)` and then called with one batch after the other, so that a
detector or a model file is loaded once. `make` must be importable by name and `settings` and batches picklable.
Results come in the order of the batches whichever engine runs them, and a bounded number are under way at once, so
memory does not grow with the number of batches.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from pipeline.params import Engine

Batch = TypeVar("Batch")
Result = TypeVar("Result")


class WorkerDied(Generic[Batch]):
    """Stands in for the result of a batch whose worker process died on it, twice, with nothing else beside it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


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

    On a pool, a batch that kills its worker is tried once more alone and then yielded as WorkerDied; an exception
    raised by the worker itself, or by `make`, is raised here.
    """
    if section.kind == "inline" or cores(section) == 1:
        worker = make(**settings)
        for batch in batches:
            yield worker(batch)
    else:
        yield from _pooled(make, settings, batches, cores(section))


def _pooled(
    make: Callable[..., Callable[[Batch], Result]],
    settings: Mapping[str, Any],
    batches: Iterable[Batch],
    workers: int,
) -> Iterator[Result | WorkerDied[Batch]]:
    source = iter(batches)
    waiting: deque[tuple[Batch, Future[Result]]] = deque()
    pool = _pool(make, settings, workers)
    try:
        while True:
            while len(waiting) < 2 * workers and (batch := next(source, _END)) is not _END:
                waiting.append((batch, _submit(pool, batch)))
            if not waiting:
                return
            batch, future = waiting[0]
            try:
                result: Result | WorkerDied[Batch] = future.result()
            except BrokenProcessPool:
                # Any of the batches under way may be the killer: each is tried alone, in order.
                pool.shutdown(wait=True, cancel_futures=True)
                result = _alone(make, settings, batch)
                pool = _pool(make, settings, workers)
                others = list(waiting)[1:]
                waiting = deque([(batch, future), *((b, f if _succeeded(f) else _submit(pool, b)) for b, f in others)])
            waiting.popleft()
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_END: Any = object()


def _succeeded(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _submit(pool: ProcessPoolExecutor, batch: Any) -> Future[Any]:
    try:
        return pool.submit(_call, batch)
    except BrokenProcessPool as error:
        broken: Future[Any] = Future()
        broken.set_exception(error)
        return broken


def _alone(make: Callable[..., Any], settings: Mapping[str, Any], batch: Any) -> Any:
    with _pool(make, settings, 1) as pool:
        try:
            return pool.submit(_call, batch).result()
        except BrokenProcessPool:
            return WorkerDied(batch)


def _pool(make: Callable[..., Any], settings: Mapping[str, Any], workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(make, dict(settings)),
    )


_worker: Callable[[Any], Any] | None = None


def _start(make: Callable[..., Callable[[Any], Any]], settings: Mapping[str, Any]) -> None:
    global _worker  # noqa: PLW0603 - a pool's worker has no other place to keep what its initializer built
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        _worker = make(**settings)
    except Exception as error:  # raised again where the caller sees it: an initializer can only break the pool
        _worker = _Refusing(error)


class _Refusing:
    """Stands for a worker that could not be made."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, batch: Any) -> Any:
        raise self.error


def _leave_with_parent() -> None:
    """A killed parent leaves no orphans: the pool itself would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(batch: Any) -> Any:
    assert _worker is not None, "the pool's initializer has not run"
    return _worker(batch)
