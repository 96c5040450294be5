"""Worker processes on this machine, any of which may die of a batch without taking the work down with it."""

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

from curate.pipeline.core.terminal_text import guard_streams

Batch = TypeVar("Batch")
Result = TypeVar("Result")


class WorkerDied(Generic[Batch]):
    """Stands in for the result of a batch whose worker process died on it, twice, with nothing else beside it."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def run(
    make: Callable[..., Callable[[Batch], Result]],
    settings: Mapping[str, Any],
    batches: Iterable[Batch],
    workers: int,
) -> Iterator[Result | WorkerDied[Batch]]:
    """As curate.pipeline.core.parallel.run, on `workers` processes."""
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


class Guarded(Generic[Batch, Result]):
    """A worker in a process of its own: one that dies costs its batch and not the process that asked."""

    def __init__(self, make: Callable[..., Callable[[Batch], Result]], settings: Mapping[str, Any]) -> None:
        self._make, self._settings = make, settings
        self._pool = _pool(make, settings, 1)

    def __call__(self, batch: Batch) -> Result | WorkerDied[Batch]:
        """The result of `batch`, which has two tries. Raises what the worker raises."""
        for _ in range(2):
            try:
                result: Result = self._pool.submit(_call, batch).result()
                return result
            except BrokenProcessPool:
                self._pool.shutdown(wait=True, cancel_futures=True)
                self._pool = _pool(self._make, self._settings, 1)
        return WorkerDied(batch)


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
    guard_streams()
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
