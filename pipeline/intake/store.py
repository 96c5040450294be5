"""The folder of raw bytes: files named by their content, written whole or not at all, one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import CurateError, UsageError

IMAGES = "raw/images"


class Store:
    """The bytes below root/raw. Made by `open_store`, which holds the lock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / IMAGES / "journal.jsonl"
        self.hosts = root / "raw" / ".hosts"  # what origins said about themselves
        self._temporary = root / "raw" / ".tmp"
        self._count = itertools.count()
        self._writing = threading.Lock()  # many threads at once in one file system cost three times the CPU
        self._known: set[str] = set()  # two-letter folders that exist

    def put(self, data: bytes, sha256: str, extension: str) -> str:
        """Stores `data` and returns their path below the root. Raises CurateError when the disk refuses.

        Synced by nobody: a power cut may leave a short file, which `has` notices.
        """
        relative = f"{IMAGES}/{sha256[:2]}/{sha256}.{extension}"
        if self.has(relative, len(data)):
            return relative
        temporary = self._temporary / f"{os.getpid()}-{next(self._count)}"
        try:
            if sha256[:2] not in self._known:
                (self.root / relative).parent.mkdir(parents=True, exist_ok=True)
                self._known.add(sha256[:2])
            with self._writing:
                temporary.write_bytes(data)
                temporary.replace(self.root / relative)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise refused(self.root / relative, error) from error
        return relative

    def has(self, relative: str, size: int) -> bool:
        """Whether the file stands there with all its bytes."""
        try:
            return (self.root / relative).stat().st_size == size
        except OSError:
            return False

    def pages(self, key: str) -> Path:
        """The folder of the pages that the unfinished search `key` has read."""
        return self.root / "raw" / ".pages" / key

    def sweep(self) -> None:
        """Makes the folders and removes what a killed run left half-written."""
        try:
            shutil.rmtree(self._temporary, ignore_errors=True)
            for folder in (self._temporary, self.journal.parent):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(self.root / "raw", error) from error


@contextlib.contextmanager
def open_store(root: Path) -> Iterator[Store]:
    """The store below `root`, for this process alone. Raises UsageError while another process has it."""
    path = root / "raw" / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+", encoding="ascii")
    except OSError as error:
        raise refused(path, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise UsageError(
                f"{path}: another curate scrape is at work here (process {owner})",
                "wait for it to end, or use another --root",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        store = Store(root)
        store.sweep()
        try:
            yield store
        finally:
            lock.truncate(0)


def refused(path: Path, error: OSError) -> CurateError:
    """What to say when the disk is full or not writable."""
    return CurateError(
        f"{path}: cannot write: {error.strerror or error}",
        "free some space or mend the rights, then run it again: it goes on where it stopped",
    )
