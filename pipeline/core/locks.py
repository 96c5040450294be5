"""Locks between processes: what one of them has, the others are refused or wait for.

A lock is the system's own, on a file; it ends with its process, however that ends. The file says who has it: a line of
its number, command and time for each process. Some network, cloud and container mounts have no such locks. There a file
OWNER is made by the one call that only one process can succeed in; it names its process, and one that a dead process of
this machine left behind is taken over. Those who share a lock only look for that file, and leave none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import WRITE_HINT, disk_error
from curate.pipeline.core.terminal_text import visible_line

WAIT = 0.05  # s between two looks at a lock that another process has
LINGERS = 3.0  # s for which what a killed process had begun may still hold its lock

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_MOST = 60  # characters of a command's name
_LONGEST = 1 << 16  # bytes of a lock file that are read
_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})  # the last by network file systems


class _TakenError(Exception):
    """Another process has the lock; its argument says which, "" where that is not known."""


@contextlib.contextmanager
def exclusive_lock(
    path: Path, taken: Callable[[str], CurateError], hint: str = WRITE_HINT, *, shared: bool = False
) -> Iterator[None]:
    """No other process is in such a block of the lock file `path`, which is made and names this process.

    In a `shared` one others may be that share it, too, and where nothing may be written, nothing is locked. A process
    that was killed while it began another one leaves its lock to that for a moment, which is waited for. Raises what
    `taken` makes of the words for the process that has it, "" where it is not known, and CurateError, with `hint`, for
    a disk that refuses.
    """
    end = time.monotonic() + LINGERS

    def refuse(owner: str) -> None:
        number = owner.partition(" ")[0]
        if not number.isdigit() or _alive(int(number)) or time.monotonic() > end:
            raise taken(owner) from None

    with _retried(path, refuse, hint, shared):
        yield


@contextlib.contextmanager
def waiting_lock(
    path: Path, waits: Callable[[str], None] = lambda owner: None, *, shared: bool = False
) -> Iterator[None]:
    """Like `exclusive_lock`, but waits for as long as another process is in the block.

    `waits` is told once which one that is. Raises CurateError for a disk that refuses.
    """
    told: list[str] = []

    def wait(owner: str) -> None:
        if not told:
            waits(owner)
        told.append(owner)

    with _retried(path, wait, shared=shared):
        yield


def has_no_locks(error: OSError) -> bool:
    """Whether `error` is a file system's word for having no locks at all."""
    return error.errno in _NO_LOCKS


@contextlib.contextmanager
def _retried(
    path: Path, found_taken: Callable[[str], None], hint: str = WRITE_HINT, shared: bool = False
) -> Iterator[None]:
    """Tries for the lock until it is had, or `found_taken`, which is told each time who has it, raises."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_locked(path, hint, shared))
                break
            except _TakenError as error:
                found_taken(str(error))
                time.sleep(WAIT)
        yield


@contextlib.contextmanager
def _locked(path: Path, hint: str, shared: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            if (lock := _opened(path, stack, shared)) is not None:
                _take(lock, path, stack, shared)
        except OSError as error:
            raise disk_error(path, error, hint) from error
        yield


def _opened(path: Path, stack: contextlib.ExitStack, shared: bool) -> int | None:
    """The lock file, no link; None where it is to be shared and can't be made. Raises OSErrors."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if shared and error.errno in _NOT_WRITABLE:
            return None
        raise
    stack.callback(os.close, lock)
    return lock


def _take(lock: int, path: Path, stack: contextlib.ExitStack, shared: bool) -> None:
    """Takes the lock and notes this process in it. Raises _TakenError and OSErrors."""
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise _TakenError(_owners(lock)) from None
        if not has_no_locks(error):
            raise
        stack.enter_context(_owned(path.with_name(f"{path.name}.owner"), shared))
    else:
        if not (path.exists() and os.path.samestat(os.fstat(lock), path.stat())):
            raise _TakenError("")  # whoever had it has deleted it: another try finds the new one
        stack.callback(_leave, lock, shared)
    if not shared:
        os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} ({_command()}, since {time.strftime('%Y-%m-%d %H:%M')})\n".encode())


def _leave(lock: int, shared: bool) -> None:
    """Nobody is named any more, once the last one leaves; a name that a failing disk keeps is of no account."""
    with contextlib.suppress(OSError):
        if shared:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)


def _owners(lock: int) -> str:
    """Who is noted in the lock file, and there still: the first, and how many more."""
    lines = [
        line.strip() for line in os.pread(lock, _LONGEST, 0).decode("utf-8", "replace").splitlines() if line.strip()
    ]
    there = [line for line in lines if (number := line.partition(" ")[0]).isdigit() and _alive(int(number))]
    if not there:
        return lines[0] if lines else ""
    first = there[0] + (", stopped until `fg` or `kill -CONT`," if _stopped(there[0].partition(" ")[0]) else "")
    return f"{first} and {len(there) - 1} more" if len(there) > 1 else first


def _stopped(number: str) -> bool:
    """Whether this process stands still, by Ctrl-Z, say, and is waited for in vain; False where that is not known."""
    try:
        return Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] == "T"
    except (OSError, IndexError):
        return False


def _command() -> str:
    """What this process is, for a person: the name of its command, without what was asked of it."""
    path = Path(sys.argv[0] if sys.argv else "python")
    name = path.parent.name if path.name == "__main__.py" else path.name
    words = [word for word in sys.argv[1:2] if name == "curate" and not word.startswith("-")]
    return visible_line(" ".join([name, *words]))[:_MOST]


@contextlib.contextmanager
def _owned(path: Path, shared: bool) -> Iterator[None]:
    """This process alone has made the file `path` within the block; if it is to be `shared`, nobody has as it begins.

    Raises _TakenError and OSErrors.
    """
    for attempt in (1, 2):
        try:
            if shared and not path.exists():
                break
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
        if not shared:
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
