"""How many may translate at once, how many wait, and how many come in a minute."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AT_ONCE = 8  # that are in: one translates, with all cores, the others wait
A_MINUTE = 120


class CrowdedError(Exception):
    """Too many ask at once, or too often."""


class Turnstile:
    """Lets one through at a time, and turns away what would wait too long."""

    def __init__(
        self, at_once: int = AT_ONCE, a_minute: int = A_MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once, self._a_minute, self._clock = at_once, a_minute, clock
        self._one, self._counting = threading.Lock(), threading.Lock()
        self._inside = 0
        self._came: deque[float] = deque()  # when, in the last minute

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block in which nobody else is. Raises CrowdedError for one too many."""
        self._enter()
        try:
            with self._one:
                yield
        finally:
            with self._counting:
                self._inside -= 1

    def _enter(self) -> None:
        with self._counting:
            now = self._clock()
            while self._came and now - self._came[0] >= 60:
                self._came.popleft()
            if self._inside >= self._at_once:
                raise CrowdedError(f"{self._inside} photos are being translated or wait")
            if len(self._came) >= self._a_minute:
                raise CrowdedError(f"{len(self._came)} photos came in the last minute")
            self._came.append(now)
            self._inside += 1
