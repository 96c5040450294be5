"""How much more a search has to look at until enough is accepted, told from what passed so far."""

from __future__ import annotations

import math
import time

FIRST = 20  # decided candidates before anything is said; then at every doubling


class Forecast:
    """Counts one search's decisions towards `want` accepted images."""

    def __init__(self, want: int | None) -> None:
        self._want = want
        self._next = FIRST
        self._began = time.monotonic()

    def decided(self, accepted: int, total: int) -> str | None:
        """A line for the person watching, when it is time for one."""
        if self._want is None or total < self._next or accepted >= self._want:
            return None
        self._next = 2 * total
        if not accepted:
            return f"none of {total} candidates accepted so far"
        more = math.ceil((self._want - accepted) * total / accepted)
        minutes = math.ceil((time.monotonic() - self._began) / total * more / 60)
        share = 100 * accepted / total
        return f"{accepted} of {total} candidates accepted ({share:.0f} %): about {more} more, {minutes} min"
