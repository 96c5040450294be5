"""A compact map from digests to numbers: 60 bytes an entry, where a dict takes 130.

A temporary SQLite table would do the same, but looks up in twice the time, and the journal looks up every candidate.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

_FULL = 0.75  # of the slots; above, probing gets long
_GROWTH = 1.6


class DigestMap:
    """A map from 16-byte digests to whole numbers from 0. Open addressing with linear probing; nothing is removed."""

    def __init__(self) -> None:
        self._count = 0
        self._make(64)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: bytes) -> bool:
        return self._values[self._slot(*_halves(digest))] >= 0

    def get(self, digest: bytes) -> int | None:
        """The number of `digest`, or None."""
        value = self._values[self._slot(*_halves(digest))]
        return value if value >= 0 else None

    def __setitem__(self, digest: bytes, value: int) -> None:
        assert value >= 0, value
        if self._count >= _FULL * len(self._values):
            self._grow()
        self._put(*_halves(digest), value)

    def in_order(self) -> Iterator[int]:
        """The numbers, by their digests."""
        values = np.array(self._values, np.int64)
        taken = np.flatnonzero(values >= 0)
        high, low = (np.array(half, np.uint64)[taken] for half in (self._high, self._low))
        for at in np.lexsort((low, high)):
            yield int(values[taken[at]])

    def _put(self, high: int, low: int, value: int) -> None:
        slot = self._slot(high, low)
        self._count += self._values[slot] < 0
        self._high[slot], self._low[slot], self._values[slot] = high, low, value

    def _slot(self, high: int, low: int) -> int:
        """Where the digest stands, or would stand."""
        slot = high % len(self._values)
        while self._values[slot] >= 0 and (self._high[slot] != high or self._low[slot] != low):
            slot = slot + 1 if slot + 1 < len(self._values) else 0
        return slot

    def _make(self, slots: int) -> None:
        self._high, self._low = array("Q", bytes(8 * slots)), array("Q", bytes(8 * slots))
        self._values = array("q", b"\xff" * (8 * slots))

    def _grow(self) -> None:
        old = zip(self._high, self._low, self._values)
        self._make(int(_GROWTH * len(self._values)))
        self._count = 0
        for high, low, value in old:
            if value >= 0:
                self._put(high, low, value)


def _halves(digest: bytes) -> tuple[int, int]:
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
