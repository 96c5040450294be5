"""The folder of raw bytes: files named by their content, written whole or not at all, one process at a time."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core.at_work import claim
from curate.pipeline.core.confined_path import refuse_link_out
from curate.pipeline.core.files import disk_error, writing
from curate.pipeline.tables.schema import PHOTOS

HINT = "free some space or mend the rights, then run it again: it goes on where it stopped"


class RawStore:
    """The bytes below root/raw. Made by `open_store`, which holds the lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / PHOTOS / "journal.jsonl"
        self.hosts = root / "raw" / ".hosts"  # what origins said about themselves
        self.temporary = root / "raw" / ".tmp"  # what stands there is gone when the run is
        self._base = f"{root}{os.sep}"
        self._prefix = f"{self.temporary}{os.sep}{os.getpid()}-"
        self._count = itertools.count()
        self._writing = threading.Lock()  # many threads at once in one file system cost three times the CPU
        self._known: set[str] = set()  # two-letter folders that exist

    def put(self, data: bytes, sha256: str, extension: str) -> str:
        """Stores `data` and returns their path below the root. Raises CurateError when the disk refuses.

        Synced by nobody: a power cut may leave a short file, which `has` notices.
        """
        relative = f"{PHOTOS}/{sha256[:2]}/{sha256}.{extension}"
        if self.has(relative, len(data)):
            return relative
        temporary, final = f"{self._prefix}{next(self._count)}", f"{self._base}{relative}"
        try:
            if sha256[:2] not in self._known:
                refuse_link_out(Path(final).parent, self.root)
                Path(final).parent.mkdir(parents=True, exist_ok=True)
                self._known.add(sha256[:2])
            with self._writing:
                _write(temporary, data)
                os.rename(temporary, final)  # noqa: PTH104 - as in _write
        except OSError as error:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
            raise disk_error(Path(final), error, HINT) from error
        return relative

    def has(self, relative: str, size: int) -> bool:
        """Whether the file stands there with all its bytes."""
        try:
            return os.stat(f"{self._base}{relative}").st_size == size  # noqa: PTH116 - as in _write
        except OSError:
            return False

    def pages(self, key: str) -> Path:
        """The folder of the pages that the unfinished search `key` has read."""
        return self.root / "raw" / ".pages" / key

    def sweep(self) -> None:
        """Makes the folders and removes what a killed run left half-written."""
        with writing(self.root / "raw", HINT):
            shutil.rmtree(self.temporary, ignore_errors=True)
            for folder in (self.temporary, self.journal.parent):
                folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def open_store(root: Path) -> Iterator[RawStore]:
    """The store below `root`, for this process alone.

    Raises UsageError while another process has it, and ConfinementError where a link leads out of `root`.
    """
    for own in (".lock", ".hosts", ".tmp", ".pages", "images", "images/journal.jsonl"):
        refuse_link_out(root / "raw" / own, root)
    with claim(root / "raw" / ".lock", str(root / "raw"), HINT):
        store = RawStore(root)
        store.sweep()
        yield store


def _write(path: str, data: bytes) -> None:
    """A new file of `data`; plain system calls on plain text cost a third of what Path's methods do."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)
