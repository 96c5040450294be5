"""Candidates whose bytes are on their way: fetched in any order, decided in the order of their discovery."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future

from curate.pipeline.scrape.outcome import Outcome
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.tables import manifest

AHEAD = 2048  # candidates under way: enough to keep many slow hosts busy at once

Start = Callable[[int, Candidate], Future[Outcome | None]]
Decide = Callable[[Candidate, Outcome | None], str | None]


class CandidateWindow:
    """Starts candidates and decides them, never fetching more than could still be wanted.

    `decide` returns the reason of the row that it made, or None if it made none. A candidate is started only while the
    accepted ones and those under way are fewer than `want`, or when it completes the product that was started last.
    So the candidates of a search are the same ones however fast they come.
    """

    def __init__(self, start: Start, decide: Decide, want: int | None) -> None:
        self._start = start
        self._decide = decide
        self._want = want
        self._pending: deque[tuple[Candidate, Future[Outcome | None]]] = deque()
        self._group: str | None = None
        self.count = 0  # candidates started
        self.reasons: Counter[str] = Counter()  # of the rows made

    @property
    def accepted(self) -> int:
        """Images accepted so far."""
        return self.reasons[manifest.OK]

    def admit(self, candidate: Candidate) -> bool:
        """Starts `candidate`; False when there are enough accepted images without it."""
        completes = candidate.group_id is not None and candidate.group_id == self._group
        while not completes and self._want is not None and self.accepted + len(self._pending) >= self._want:
            if not self._pending:
                return False
            self._take()
        while self._pending and (len(self._pending) >= AHEAD or self._pending[0][1].done()):
            self._take()
        self._pending.append((candidate, self._start(self.count, candidate)))
        self._group = candidate.group_id
        self.count += 1
        return True

    def drain(self) -> None:
        """Waits for everything under way."""
        while self._pending:
            self._take()

    def _take(self) -> None:
        candidate, future = self._pending.popleft()
        reason = self._decide(candidate, future.result())
        if reason is not None:
            self.reasons[reason] += 1
