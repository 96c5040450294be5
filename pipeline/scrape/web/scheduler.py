"""Who is asked when: fetches run on a few threads, and each host is asked no faster than it should be.

A fetch is a generator that yields a Turn before each request. It is resumed on a worker when its host's turn comes,
holds one of the host's connections until it yields again, and occupies no thread while it waits. So one slow or
parked host keeps nobody else waiting, and hosts are served in rotation. What several fetches need to know is found out
by one of them, which claims it; the others yield a Wait and take no turn of their host meanwhile.
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

    Pages go before images: `urgent`. `keep`: the turn of this host that is held now is kept meanwhile, so that nobody
    else asks. `free`: the next request need not be spaced from this one.
    """

    host: str
    after: float = 0.0
    urgent: bool = False
    keep: bool = False
    free: bool = False


@dataclass(frozen=True)
class Wait:
    """A wait, without a turn, until whoever claimed `key` has released it."""

    key: str


Steps = Generator[Turn | Wait, None, T]


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
    jobs: deque[tuple[_Job[Any], Turn]] = field(default_factory=deque)
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
        self._later: list[tuple[float, int, Turn, _Job[Any], bool]] = []
        self._claims: dict[str, list[_Job[Any]]] = {}  # what is being found out, and who waits for it
        self._resumed: deque[_Job[Any]] = deque()  # whose wait is over
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

    def claim(self, key: str) -> bool:
        """Whether the caller is to find out about `key`: False when another fetch does already."""
        with self._changed:
            if key in self._claims:
                return False
            self._claims[key] = []
            return True

    def release(self, key: str) -> None:
        """What was claimed is known, or cannot be: everybody who waits for it goes on."""
        with self._changed:
            self._resumed.extend(self._claims.pop(key))
            self._changed.notify_all()

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
        turn: Turn | Wait | None = None
        result: Any = None
        failure: BaseException | None = None
        try:
            turn = next(job.steps)
        except StopIteration as end:
            result = end.value
        except BaseException as error:  # carried to whoever waits for the future
            failure = error
        with self._changed:
            kept = isinstance(turn, Turn) and turn.keep and holding is self._host(turn.host)
            if holding is not None and not kept:
                holding.active -= 1
                self._offer(holding)
            if isinstance(turn, Turn):
                self._enqueue(turn, job, kept)
            elif turn is not None:
                self._claims.get(turn.key, self._resumed).append(job)
            self._changed.notify()
        if failure is not None:
            job.future.set_exception(failure)
        elif turn is None:
            try:
                job.future.set_result(job.then(result))
            except BaseException as error:
                job.future.set_exception(error)

    def _enqueue(self, turn: Turn, job: _Job[Any], kept: bool) -> None:
        host = self._host(turn.host)
        after = max(turn.after, host.next_start) if kept else turn.after
        if kept or after > time.monotonic():
            heapq.heappush(self._later, (after, next(self._order), turn, job, kept))
            return
        if turn.urgent:
            host.jobs.appendleft((job, turn))
        else:
            host.jobs.append((job, turn))
        self._offer(host)

    def _offer(self, host: _Host) -> None:
        if host.jobs and not host.offered and host.active < host.limit:
            host.offered = True
            heapq.heappush(self._ready, (host.next_start, next(self._order), host))

    def _start(self, host: _Host, turn: Turn, now: float) -> None:
        if not turn.free:
            host.next_start = now + max(host.requested, host.spacing * self._random.uniform(0.8, 1.2))

    def _work(self) -> None:
        while (picked := self._pick()) is not None:
            self._advance(*picked)

    def _pick(self) -> tuple[_Job[Any], _Host | None] | None:
        """The next job whose host's turn it is, or whose wait is over; None when the scheduler is closed."""
        with self._changed:
            while not self._closed:
                if self._resumed:
                    return self._resumed.popleft(), None
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    _, _, turn, job, kept = heapq.heappop(self._later)
                    host = self._host(turn.host)
                    if kept:
                        self._start(host, turn, now)
                        return job, host
                    host.jobs.appendleft((job, turn))
                    self._offer(host)
                if self._ready and self._ready[0][0] <= now:
                    _, _, host = heapq.heappop(self._ready)
                    host.offered = False
                    if host.next_start > now:  # it was parked since
                        self._offer(host)
                        continue
                    host.active += 1
                    job, turn = host.jobs.popleft()
                    self._start(host, turn, now)
                    self._offer(host)
                    self._changed.notify()
                    return job, host
                due = [heap[0][0] for heap in (self._ready, self._later) if heap]
                self._changed.wait(max(0.0, min(due) - now) if due else None)
            return None
