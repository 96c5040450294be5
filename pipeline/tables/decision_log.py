"""manifests/review.jsonl as a page follows it: read anew only as far as it has grown, whoever wrote to it."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from curate.pipeline.core.files import reading
from curate.pipeline.tables import decisions
from curate.pipeline.tables.decisions import Decision, Decisions

_LAST = 256  # bytes before the end, by which a file that has only grown is known


class DecisionLog:
    """The lines of one file in order, and what holds after them. Its methods may be called from several threads."""

    def __init__(self, root: Path) -> None:
        """Raises CurateError for a file that can't be read."""
        self._root, self._path = root, root / decisions.FILE
        self._lock = threading.RLock()
        self._made: list[Decision] = []
        self._inode, self._read, self._tail = -1, 0, b""
        self.decided = Decisions([])
        self.follow()

    def follow(self) -> Sequence[Decision] | None:
        """What others have added since; None where the file was rewritten, so that anything may have changed."""
        with self._lock:
            try:
                with reading(self._path), self._path.open("rb") as file:
                    stat = os.fstat(file.fileno())
                    file.seek(max(self._read - len(self._tail), 0))
                    known = file.read(len(self._tail))
                    grown = self._inode in {-1, stat.st_ino} and stat.st_size >= self._read and known == self._tail
                    if not grown:
                        file.seek(0)
                    data = file.read()
            except FileNotFoundError:
                grown, data, stat = self._inode < 0, b"", None
            whole = data[: data.rfind(b"\n") + 1]  # a line that is being written is none yet
            new = [found for _, _, found in decisions.parse(whole) if isinstance(found, Decision)]
            self._inode = stat.st_ino if stat else -1
            if grown:
                self._made += new
                self.decided.add(new)
            else:
                self._made, self.decided, self._read, self._tail = new, Decisions(new), 0, b""
            self._read += len(whole)
            self._tail = (self._tail + whole)[-_LAST:]
            return new if grown else None

    def append(self, made: Sequence[Decision]) -> None:
        """Writes `made` down; they are on the disk when it returns. Raises CurateError for a disk that refuses."""
        decisions.append(self._root, made)

    def last_action(self, by: str) -> list[Decision]:
        """What `by` decided last at one time and has not taken back, the last line first; nothing where all is."""
        found: list[Decision] = []
        with self._lock:
            for one in reversed(self._made):
                if one.by == by and self.decided.stands(one):
                    if found and one.when != found[0].when:
                        break
                    found.append(one)
        return found
