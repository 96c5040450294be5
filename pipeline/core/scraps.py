"""Scraps: what a writer that was killed left beside the file that it wrote.

Each temporary file is locked for as long as it is written, and the system ends the lock with the process, however that
ends. So a scrap that can be locked has no writer, whoever has its process's number by now. Another machine's lock may
not be seen on a disk that both share: its scraps, and all where a disk has no locks, wait until they are old.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import itertools
import os
import platform
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

OLD = 24 * 3600.0  # s without a change after which nobody writes a file any more
_NAME = re.compile(r"\..+\.curate-([0-9a-f]{8})-\d+-\d+\.tmp")
_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})

_count = itertools.count()


@functools.cache
def machine() -> str:
    """Eight letters for this machine, as the names of its temporary files have them."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new, empty file beside `path`, which no other process takes for a scrap within the block; gone after it.

    Raises OSError where it cannot be made.
    """
    mark = f"curate-{machine()}-{os.getpid()}-{next(_count)}"
    temporary = path.with_name(f".{path.name[:40]}.{mark}.tmp")  # long names stay below what file systems take
    try:
        lock = _made(temporary)
        try:
            yield temporary
        finally:
            os.close(lock)
    finally:
        with contextlib.suppress(OSError):  # mostly it is gone: renamed
            temporary.unlink()


def sweep(folder: Path) -> None:
    """Deletes the scraps in `folder`, not in those below it. One that is being written, or cannot be deleted, stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".tmp") and (named := _NAME.fullmatch(entry.name)):
                with contextlib.suppress(OSError):
                    _delete_if_left(Path(entry.path), named[1] == machine())


def sweep_below(folder: Path, spared: Collection[str] = ()) -> None:
    """As `sweep`, and in all folders below, but for those directly in `folder` that are named in `spared`."""
    for here, folders, names in os.walk(folder):
        if Path(here) == folder:
            folders[:] = [name for name in folders if name not in spared]
        if any(map(_NAME.fullmatch, names)):
            sweep(Path(here))


@functools.cache
def sweep_once(folder: Path) -> None:
    """As `sweep`, once for each folder in the life of this process."""
    sweep(folder)


def _made(temporary: Path) -> int:
    """`temporary`, made anew and locked. Raises OSError."""
    while True:
        try:
            lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:  # of a process that had this one's number
            temporary.unlink(missing_ok=True)
            continue
        with contextlib.suppress(OSError):  # a disk without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)  # swept before it was locked


def _delete_if_left(scrap: Path, ours: bool) -> None:
    """Deletes `scrap`, of this machine if `ours`, unless it may have a writer. Raises OSError."""
    if ours:
        lock = os.open(scrap, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return
        else:
            scrap.unlink()
            return
        finally:
            os.close(lock)
    if time.time() - scrap.lstat().st_mtime > OLD:
        scrap.unlink()
