"""Files: written whole or not at all, and what to say when a disk refuses."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core import scraps
from curate.pipeline.core.errors import CurateError

REMOTE = "CURATE_RAW"  # the address of what is not in raw/ here
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})
_IN_THE_WAY = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "mend its rights: chmod, chown"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.ELOOP), "move away what lies there"),
    errno.ENAMETOOLONG: "shorten it",
}
WRITE_HINT = "free some space or mend the rights, then run it again"


def disk_error(path: Path, error: OSError, hint: str = WRITE_HINT) -> CurateError:
    """What to raise when `path` can't be written: the disk is full, or its rights forbid it."""
    return CurateError(f"{path}: cannot write: {error.strerror or error}", hint)


@contextlib.contextmanager
def writing(path: Path, hint: str = WRITE_HINT) -> Iterator[None]:
    """Within the block, a disk that refuses is a CurateError that names `path`."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error, hint) from error


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and vanishes when it does not.

    Makes the folder, and deletes what killed writers left there. `durable` waits until the bytes are on the disk,
    which is slow for many small files. Raises CurateError when the disk is full or not writable.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        scraps.sweep_once(path.parent)
        with scraps.temporary_beside(path) as temporary:
            yield temporary
            if durable:
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)


def unnamed_disk_error(error: BaseException) -> CurateError | None:
    """What to tell of `error` when it is a disk's, or a path's that is in the way, and nobody has given it a name.

    None for any other.
    """
    if not isinstance(error, OSError):
        return None
    if error.errno in _DISK:
        return disk_error(Path(error.filename or Path.cwd()), error)
    if error.filename and error.errno in _IN_THE_WAY:
        return CurateError(
            f"{os.fsdecode(error.filename)}: {error.strerror}", f"{_IN_THE_WAY[error.errno]}, then run it again"
        )
    return None


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder; one that this user may not look at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def write_text(path: Path, text: str) -> Path:
    """Writes `text` whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")
    return path
