"""Files: written whole or not at all, locked, and what to say when a disk refuses."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from curate.pipeline.core.errors import CurateError

REMOTE = "CURATE_RAW"  # the address of what is not in raw/ here
_HINT = "free some space or mend the rights, then run it again"


def disk_error(path: Path, error: OSError, hint: str = _HINT) -> CurateError:
    """What to raise when `path` can't be written: the disk is full, or its rights forbid it."""
    return CurateError(f"{path}: cannot write: {error.strerror or error}", hint)


@contextlib.contextmanager
def exclusive_lock(path: Path, taken: Callable[[str], CurateError], hint: str = _HINT) -> Iterator[None]:
    """No other process is in such a block of the lock file `path`, which is made and has this process's number.

    The lock ends with the process, however it ends. Raises what `taken` makes of the number of the process that has
    it, "" where that is not known, and CurateError, with `hint`, for a disk that refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+", encoding="ascii")
    except OSError as error:
        raise disk_error(path, error, hint) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # not BlockingIOError alone: some network file systems refuse in other ways
            lock.seek(0)
            raise taken(lock.read().strip()) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Makes the folder. `durable` waits until the bytes are on the disk, which is slow for many small files. Raises
    CurateError when the disk is full or not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # mostly it is gone: renamed, or never written
            temporary.unlink()


def write_text(path: Path, text: str) -> Path:
    """Writes `text` whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")
    return path
