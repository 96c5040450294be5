"""Workers on a cluster, by Ray Data: many machines, or several nodes on one.

Each of Ray's actors runs its batches in a process of its own (core.process_pool), so that a picture that kills its
decoder is found out there, by the same rules as on one machine; when a whole machine is lost, Ray gives its batches to
another one. Results are taken in the order of the batches. What a worker raises comes back as a value, because Ray
would wrap it. Ray cannot be told to begin no more, so at Ctrl-C each actor is, by one that all of them ask.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import REMOTE
from curate.pipeline.core.optional_packages import how_to_install
from curate.pipeline.core.process_pool import Batch, Guarded, NotBegun, Result, WorkerDied

WINDOW = 8192  # batches that Ray is handed at once


class Ending:
    """Lives on a node of the cluster, and knows whether no more batches are to be begun."""

    def __init__(self) -> None:
        self._asked = False

    def ask(self) -> None:
        """No more, from here on."""
        self._asked = True

    def asked(self) -> bool:
        """Whether no more are to be begun."""
        return self._asked


class Actor:
    """Lives on a node of the cluster: bytes of a batch in, bytes of its result out, of NotBegun after `ending`."""

    def __init__(self, make: Callable[..., Callable[[Any], Any]], settings: Mapping[str, Any], ending: Any) -> None:
        self._work: Guarded[Any, Any] = Guarded(make, settings)
        self._ending = ending  # Ray's handle of an Ending

    def __call__(self, row: dict[str, bytes]) -> dict[str, bytes]:
        """`row` has a pickled batch; the answer has (its result, None) or (None, the exception), pickled."""
        import ray

        answer: tuple[Any, Exception | None]
        try:
            ending = ray.get(self._ending.asked.remote())
            answer = NotBegun() if ending else self._work(pickle.loads(row["batch"])), None
        except Exception as error:
            answer = None, error
        return {"answer": pickle.dumps(answer)}


def run(
    make: Callable[..., Callable[[Batch], Result]],
    settings: Mapping[str, Any],
    batches: Iterable[Batch],
    workers: int,
    address: str | None,
) -> Iterator[Result | WorkerDied[Batch]]:
    """As core.parallel.run, on `workers` actors (0: one per CPU) of the cluster at `address` (None: this machine).

    Raises UsageError without Ray or without a cluster there.
    """
    ray = _connected(address)
    ending = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Ending).remote()  # it outlives its machine
    told = {"make": make, "settings": dict(settings), "ending": ending}
    source = iter(batches)
    with interrupt.deferred() as interrupted:
        while not interrupted() and (window := list(islice(source, WINDOW))):
            rows = [{"batch": pickle.dumps(batch)} for batch in window]
            answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map(  # a block each: known when done
                Actor,
                fn_constructor_kwargs=told,
                concurrency=workers or max(1, int(ray.cluster_resources().get("CPU", 1))),
                num_cpus=1,
            )
            for row in answers.iter_rows():
                if interrupted():
                    ending.ask.remote()
                result, error = pickle.loads(row["answer"])
                if error is not None:
                    raise error
                if isinstance(result, NotBegun):
                    return  # nor are those after it
                yield result


def _connected(address: str | None) -> Any:
    """Ray, connected to the cluster at `address` and quiet; an address of None starts one on this machine."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(
            f"engine.kind: ray: {error}", f"{how_to_install('ray')}, or engine.kind: process in params.yaml"
        ) from None
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        terminated = signal.getsignal(signal.SIGTERM)
        try:
            told = {name: os.environ[name] for name in (REMOTE,) if name in os.environ}
            ray.init(
                address=address,
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env={"env_vars": told} if told else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"engine.address: {address}: {error}",
                "start a cluster there: ray start --head, see docs/guide/scaling.md",
            ) from None
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminated)  # in whose place Ray has put one that ends at once
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    return ray
