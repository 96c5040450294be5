"""Who is asked when: fetches run on a few threads, and each host is asked no faster than it should be.

A fetch is a generator that yields a Turn before each request. It is resumed on a worker when its host's turn comes,
holds one of the host's connections until it yields again, and occupies no thread while it waits. So one slow or
parked host keeps nobody else waiting, and hosts are served in rotation.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

LONGEST_DELAY = 60.0  # s between two requests to a host, however often it refuses
_RECOVERY = 10  # good responses after which a slowed host is asked twice as fast again


@dataclass(frozen=True)
class Turn:
    """A request for a turn at `host`, not before `after` (monotonic s).

    Pages go before images: `urgent`. `keep`: the turn that is held now is kept meanwhile, so that nobody else asks.
    """

    host: str
    after: float = 0.0
    urgent: bool = False
    keep: bool = False


Steps = Generator[Turn, None, T]


@dataclass
class _Job(Generic[T]):
    steps: Steps[T]
    then: Callable[[T], Any]
    future: Future[Any]


@dataclass
class _Host:
    delay: float  # s between the starts of two requests
    requested: float = 0.0  # the same, as its robots.txt requests
    slowed: float = 0.0  # the same, raised by its refusals
    limit: int = 1  # connections; one until its robots.txt has been read
    active: int = 0
    next_start: float = 0.0
    streak: int = 0
    started: int = 0
    jobs: deque[_Job[Any]] = field(default_factory=deque)
    offered: bool = False

    @property
    def spacing(self) -> float:
        return max(self.delay, self.requested, self.slowed)


class Scheduler:
    """Runs fetches on `workers` threads, `delay` seconds apart per host, with 20 % of jitter."""

    def __init__(self, workers: int, delay: float) -> None:
        self._delay = delay
        self._delays: dict[str, float] = {}  # of host names with one of their own
        self._hosts: dict[str, _Host] = {}
        self._ready: list[tuple[float, int, _Host]] = []  # hosts that have jobs and a free connection
        self._later: list[tuple[float, int, Turn, _Job[Any]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._random = random.Random(0)
        self._threads = [threading.Thread(target=self._work, name=f"fetch-{n}", daemon=True) for n in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, steps: Steps[T], then: Callable[[T], R]) -> Future[R]:
        """Runs `steps` to its end, then `then(result)` on the same thread with the host released."""
        future: Future[R] = Future()
        self._advance(_Job(steps, then, future), None)
        return future

    def widen(self, host: str, limit: int, delay: float) -> None:
        """Sets what is known once a host's robots.txt was read: its connections, and the spacing that it requests."""
        with self._changed:
            found = self._host(host)
            found.limit, found.requested = limit, delay
            self._offer(found)
            self._changed.notify_all()

    def space(self, name: str, delay: float) -> None:
        """Sets the spacing of the host called `name`, at whichever port."""
        with self._changed:
            self._delays[name] = delay
            for key, host in self._hosts.items():
                if key.rpartition(":")[0] == name:
                    host.delay = delay

    def park(self, host: str, seconds: float) -> None:
        """Asks nothing of `host` for `seconds`."""
        with self._changed:
            found = self._host(host)
            found.next_start = max(found.next_start, time.monotonic() + seconds)

    def refused(self, host: str) -> None:
        """The host said that it is asked too often: from now on at half the pace."""
        with self._changed:
            found = self._host(host)
            found.slowed = min(LONGEST_DELAY, 2 * found.spacing)
            found.streak = 0

    def served(self, host: str) -> None:
        """The host answered well: after a while of this, a slowed one recovers."""
        with self._changed:
            found = self._host(host)
            found.streak += 1
            if found.streak >= _RECOVERY:
                found.streak = 0
                found.slowed = found.slowed / 2 if found.slowed > 2 * found.delay else 0.0

    def started(self) -> dict[str, int]:
        """Requests begun so far, by host."""
        with self._changed:
            return {name: host.started for name, host in self._hosts.items() if host.started}

    def close(self, patience: float = 5.0) -> None:
        """Starts nothing more, and waits up to `patience` seconds for what is under way."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _host(self, name: str) -> _Host:
        if name not in self._hosts:
            self._hosts[name] = _Host(self._delays.get(name.rpartition(":")[0], self._delay))
        return self._hosts[name]

    def _advance(self, job: _Job[Any], holding: _Host | None) -> None:
        """Runs `job` up to its next turn or its end, and gives back the connection of the host that it held."""
        turn: Turn | None = None
        result: Any = None
        failure: BaseException | None = None
        try:
            turn = next(job.steps)
        except StopIteration as end:
            result = end.value
        except BaseException as error:  # carried to whoever waits for the future
            failure = error
        with self._changed:
            if holding is not None and not (turn is not None and turn.keep):
                holding.active -= 1
                self._offer(holding)
            if turn is not None:
                self._enqueue(turn, job)
            self._changed.notify()
        if failure is not None:
            job.future.set_exception(failure)
        elif turn is None:
            try:
                job.future.set_result(job.then(result))
            except BaseException as error:
                job.future.set_exception(error)

    def _enqueue(self, turn: Turn, job: _Job[Any]) -> None:
        host = self._host(turn.host)
        after = max(turn.after, host.next_start) if turn.keep else turn.after
        if turn.keep or after > time.monotonic():
            heapq.heappush(self._later, (after, next(self._order), turn, job))
            return
        if turn.urgent:
            host.jobs.appendleft(job)
        else:
            host.jobs.append(job)
        self._offer(host)

    def _offer(self, host: _Host) -> None:
        if host.jobs and not host.offered and host.active < host.limit:
            host.offered = True
            heapq.heappush(self._ready, (host.next_start, next(self._order), host))

    def _start(self, host: _Host, now: float) -> None:
        host.started += 1
        host.next_start = now + max(host.requested, host.spacing * self._random.uniform(0.8, 1.2))

    def _work(self) -> None:
        while (picked := self._pick()) is not None:
            self._advance(*picked)

    def _pick(self) -> tuple[_Job[Any], _Host] | None:
        """The next job whose host's turn it is; None when the scheduler is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    _, _, turn, job = heapq.heappop(self._later)
                    host = self._host(turn.host)
                    if turn.keep:
                        self._start(host, now)
                        return job, host
                    host.jobs.appendleft(job)
                    self._offer(host)
                if self._ready and self._ready[0][0] <= now:
                    _, _, host = heapq.heappop(self._ready)
                    host.offered = False
                    if host.next_start > now:  # it was parked since
                        self._offer(host)
                        continue
                    host.active += 1
                    self._start(host, now)
                    job = host.jobs.popleft()
                    self._offer(host)
                    self._changed.notify()
                    return job, host
                due = [heap[0][0] for heap in (self._ready, self._later) if heap]
                self._changed.wait(max(0.0, min(due) - now) if due else None)
            return None
