"""Locks between processes: what one of them has, the others are refused or wait for.

A lock is the system's own, on a file that stays; it ends with its process, however that ends. Some network, cloud and
container mounts have no such locks. There a file OWNER is made by the one call that only one process can succeed in;
it names its process, and one that a dead process of this machine left behind is taken over.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import WRITE_HINT, disk_error

WAIT = 0.05  # s between two looks at a lock that another process has
LINGERS = 3.0  # s for which what a killed process had begun may still hold its lock

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})  # the last by network file systems


class _TakenError(Exception):
    """Another process has the lock; its argument says which, "" where that is not known."""


@contextlib.contextmanager
def exclusive_lock(path: Path, taken: Callable[[str], CurateError], hint: str = WRITE_HINT) -> Iterator[None]:
    """No other process is in such a block of the lock file `path`, which is made and has this process's number.

    A process that was killed while it began another one leaves its lock to that for a moment, which is waited for.
    Raises what `taken` makes of the words for the process that has it, "" where it is not known, and CurateError, with
    `hint`, for a disk that refuses.
    """
    end = time.monotonic() + LINGERS

    def refuse(owner: str) -> None:
        if not owner.isdigit() or _alive(int(owner)) or time.monotonic() > end:
            raise taken(owner) from None

    with _retried(path, refuse, hint):
        yield


@contextlib.contextmanager
def waiting_lock(path: Path, waits: Callable[[str], None] = lambda owner: None) -> Iterator[None]:
    """Like `exclusive_lock`, but waits for as long as another process is in the block.

    `waits` is told once which one that is. Raises CurateError for a disk that refuses.
    """
    told: list[str] = []

    def wait(owner: str) -> None:
        if not told:
            waits(owner)
        told.append(owner)

    with _retried(path, wait):
        yield


def has_no_locks(error: OSError) -> bool:
    """Whether `error` is a file system's word for having no locks at all."""
    return error.errno in _NO_LOCKS


@contextlib.contextmanager
def _retried(path: Path, found_taken: Callable[[str], None], hint: str = WRITE_HINT) -> Iterator[None]:
    """Tries for the lock until it is had, or `found_taken`, which is told each time who has it, raises."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_locked(path, hint))
                break
            except _TakenError as error:
                found_taken(str(error))
                time.sleep(WAIT)
        yield


@contextlib.contextmanager
def _locked(path: Path, hint: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(path.open("a+", encoding="utf-8"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _TAKEN:
                    lock.seek(0)
                    raise _TakenError(lock.read().strip()) from None
                if not has_no_locks(error):
                    raise
                stack.enter_context(_owned(path.with_name(f"{path.name}.owner")))
            else:
                stack.callback(lock.truncate, 0)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:
            raise disk_error(path, error, hint) from error
        yield


@contextlib.contextmanager
def _owned(path: Path) -> Iterator[None]:
    """This process alone has made the file `path` within the block. Raises _TakenError and OSErrors."""
    for attempt in (1, 2):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {platform.node()}")
            break
        except FileExistsError:
            number, _, machine = _text(path).partition(" ")
            if attempt == 2 or not number.isdigit() or machine != platform.node() or _alive(int(number)):
                owner = f"{number or 'unknown'} of {machine or 'an unknown machine'}"
                raise _TakenError(f"{owner} (if it is gone, delete {path})") from None
            path.unlink(missing_ok=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
