"""Where the lines about the candidates of one search stand in the journal, by the candidates' own numbers."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import chain

_GAP = 64  # numbers that may be left out at once: half a KiB, as a line or two take


class Places:
    """Offsets by number: dense, as numbers follow each other; what is far out is held by itself.

    So memory is in proportion to the lines that there are, whatever number one of them tells of. One thread adds
    while others look.
    """

    def __init__(self) -> None:
        self._near: array[int] = array("q")  # -1 for a number that has no line
        self._far: dict[int, int] = {}  # all numbers beyond those of `_near`

    def __bool__(self) -> bool:
        return bool(self._near or self._far)

    def __getitem__(self, number: int) -> int | None:
        """The offset of the line about `number`, from 0; None where there is none."""
        at = self._near[number] if number < len(self._near) else self._far.get(number, -1)
        return at if at >= 0 else None

    def __setitem__(self, number: int, at: int) -> None:
        if number >= len(self._near) + _GAP:
            self._far[number] = at
            return
        if number >= len(self._near):
            new = range(len(self._near), number + 1)
            self._near.extend(array("q", [at if one == number else self._far.get(one, -1) for one in new]))
            for one in new:
                self._far.pop(one, None)
        else:
            self._near[number] = at

    def between(self, first: int, end: int | None = None) -> Iterator[int]:
        """The offsets for the numbers from `first` on, before `end`, in order, as they stand now."""
        near = self._near[first:end]
        known = list(self._far.items())  # in one step, as they may grow meanwhile
        far = sorted((one, at) for one, at in known if one >= first and (end is None or one < end))
        return chain((at for at in near if at >= 0), (at for _, at in far))
