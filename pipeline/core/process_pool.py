"""Worker processes on this machine, any of which may die of a batch without taking the work down with it."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.synchronize import Event
from typing import Any, Generic, Self, TypeVar

from curate.pipeline.core import interrupt
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
    with interrupt.deferred() as interrupted, _Pool(make, settings, workers) as pool:
        while True:
            if interrupted():
                pool.begin_no_more()
            while len(waiting) < 2 * workers and not interrupted() and (batch := next(source, _END)) is not _END:
                waiting.append((batch, pool.submit(batch)))
            if not waiting:
                return
            batch, future = waiting[0]
            try:
                result: Result | WorkerDied[Batch] | NotBegun = future.result()
            except BrokenProcessPool:
                # Any of the batches under way may be the killer: each is tried alone, in order.
                pool.end()
                result = _alone(make, settings, batch)
                pool.begin()
                others = list(waiting)[1:]
                waiting = deque([(batch, future), *((b, f if _succeeded(f) else pool.submit(b)) for b, f in others)])
            waiting.popleft()
            if isinstance(result, NotBegun):
                return  # nor are those after it
            yield result


class Guarded(Generic[Batch, Result]):
    """A worker in a process of its own: one that dies costs its batch and not the process that asked."""

    def __init__(self, make: Callable[..., Callable[[Batch], Result]], settings: Mapping[str, Any]) -> None:
        self._pool = _Pool(make, settings, 1)

    def __call__(self, batch: Batch) -> Result | WorkerDied[Batch]:
        """The result of `batch`, which has two tries. Raises what the worker raises."""
        for _ in range(2):
            try:
                result: Result = self._pool.submit(batch).result()
                return result
            except BrokenProcessPool:
                self._pool.end()
                self._pool.begin()
        return WorkerDied(batch)


_END: Any = object()


class NotBegun:
    """Stands for the result of a batch that nobody had begun when Ctrl-C came."""


class _Process(SpawnProcess):
    def terminate(self) -> None:
        """What the executor calls where a pool is broken; SIGTERM, with which it would, is never seen."""
        self.kill()


class _Context(SpawnContext):
    Process = _Process


class _Pool:
    """Processes with a worker each; their signals are the parent's to handle, from their first moment on."""

    def __init__(self, make: Callable[..., Any], settings: Mapping[str, Any], workers: int) -> None:
        self._make, self._settings, self._workers = make, dict(settings), workers
        self.begin()

    def begin(self) -> None:
        """Makes the processes, at the latest when there is work for them."""
        context = _Context()
        with interrupt.shielded():
            _ensure_silent_tracker()
            self._no_more = context.Event()
            self._executor = ProcessPoolExecutor(
                self._workers,
                mp_context=context,
                initializer=_start,
                initargs=(self._make, self._settings, self._no_more),
            )

    def submit(self, batch: Any) -> Future[Any]:
        """What becomes of `batch`. A pool that is broken says so in it."""
        try:
            with interrupt.shielded():  # here processes begin
                return self._executor.submit(_call, batch)
        except BrokenProcessPool as error:
            broken: Future[Any] = Future()
            broken.set_exception(error)
            return broken

    def begin_no_more(self) -> None:
        """Batches that no worker has begun yet end as NotBegun."""
        self._no_more.set()

    def end(self) -> None:
        """Waits for what is begun; the rest is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()


def _ensure_silent_tracker() -> None:
    """The process that removes what a killed one has left of its pool does so without a word on the terminal."""
    option = "ignore:resource_tracker"
    sys.warnoptions.append(option)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(option)


def _succeeded(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _alone(make: Callable[..., Any], settings: Mapping[str, Any], batch: Any) -> Any:
    with _Pool(make, settings, 1) as pool:
        try:
            return pool.submit(batch).result()
        except BrokenProcessPool:
            return WorkerDied(batch)


_worker: Callable[[Any], Any] | None = None
_no_more: Event | None = None


def _start(make: Callable[..., Callable[[Any], Any]], settings: Mapping[str, Any], no_more: Event) -> None:
    global _worker, _no_more  # noqa: PLW0603 - a pool's worker has no other place to keep what its initializer built
    _no_more = no_more
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
    assert _worker is not None and _no_more is not None, "the pool's initializer has not run"
    if _no_more.is_set():
        return NotBegun()
    return _worker(batch)
