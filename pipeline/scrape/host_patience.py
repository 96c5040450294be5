"""When a host is given up: after ten pictures in a row that it did not give, in the order in which they were found.

A host that may be dead is asked for no more than ten pictures at once, so that it gets no more requests than ten
failures take. What counts is the order of discovery, never which fetch ended first: any run comes to the same rows.
Requests that others lead to a host count in web/host_budget.py.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from curate.pipeline.scrape.outcome import UNANSWERED, Outcome
from curate.pipeline.scrape.web.backoff import PATIENCE

Fetch = Callable[[bool], "Future[Outcome | None]"]  # told whether its host is given up


@dataclass
class _Host:
    begun: int = 0  # fetches, numbered from 1 in the order of discovery
    open: int = 0  # that have not ended
    given: int = 0  # the last one that was no failure
    off: bool = False
    busy: bool = False  # a thread is beginning what waits
    waiting: deque[tuple[Fetch, Future[Outcome | None]]] = field(default_factory=deque)

    @property
    def doubtful(self) -> int:
        """Fetches in a row, up to the last one begun, that failed or may fail."""
        return self.begun - self.given


class HostPatience:
    """Every host of a run. Fetches are handed over by one thread, in the order in which candidates are found."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def fetch(self, host: str, begin: Fetch) -> Future[Outcome | None]:
        """What `begin` gives, as soon as `host` may be asked for it, or is given up."""
        future: Future[Outcome | None] = Future()
        with self._lock:
            self._hosts.setdefault(host, _Host()).waiting.append((begin, future))
        self._go_on(host)
        return future

    def count(self, host: str, reason: str) -> None:
        """Counts the next picture of `host`, whose fate is known already."""
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            known.begun += 1
            self._judge(host, known, known.begun, reason)
        self._go_on(host)

    def _judge(self, host: str, known: _Host, number: int, reason: str | None) -> None:
        if reason == "host_off":
            known.off = True
        elif reason not in UNANSWERED:
            known.given = max(known.given, number)
        if known.doubtful >= PATIENCE and not known.open:
            known.off = True

    def _go_on(self, host: str) -> None:
        """Begins what may be begun, and ends what waits for a host that is given up."""
        while True:
            with self._lock:
                known = self._hosts.get(host)
                if known is None or known.busy:  # who is busy looks again
                    return
                if not known.waiting:
                    if not (known.open or known.doubtful or known.off):
                        del self._hosts[host]  # who answers costs no memory
                    return
                if not known.off and known.doubtful >= PATIENCE:
                    return
                begin, future = known.waiting.popleft()
                known.busy = True
                off = known.off
                known.begun += not off
                known.open += not off
                number = known.begun
            self._begin(host, None if off else number, begin, future)
            with self._lock:
                known.busy = False

    def _begin(self, host: str, number: int | None, begin: Fetch, future: Future[Outcome | None]) -> None:
        """Begins a fetch; without a `number`, one that leaves the host alone."""

        def ended(fetched: Future[Outcome | None]) -> None:
            error = fetched.exception()
            outcome = None if error else fetched.result()
            if number is not None:
                with self._lock:
                    known = self._hosts[host]
                    known.open -= 1
                    self._judge(host, known, number, outcome.of_own if outcome else None)
            if error:
                future.set_exception(error)
            else:
                future.set_result(outcome)
            self._go_on(host)

        try:
            begin(number is None).add_done_callback(ended)
        except BaseException as error:
            failed: Future[Outcome | None] = Future()
            failed.set_exception(error)
            ended(failed)
