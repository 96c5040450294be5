"""Files: written whole or not at all, and what to say when a disk refuses.

What is not there and what may not be read are two things: only the first is nothing, and may be made.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core import scraps
from curate.pipeline.core.errors import CurateError

REMOTE = "CURATE_RAW"  # the address of what is not in raw/ here
NOT_THERE = (FileNotFoundError, NotADirectoryError)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
_MEND = {
    errno.EIO: "look at the disk",
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


def read_error(path: Path, error: OSError) -> CurateError:
    """What to raise when `path` is there and can't be read: its rights forbid it, or the disk is broken."""
    said = os.strerror(error.errno) if error.errno else str(error)  # Arrow's own words are long
    return CurateError(f"{path}: cannot read: {said}", _mended(error))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within the block, what can't be read is a CurateError that names `path`; what is not there stays NOT_THERE."""
    try:
        yield
    except NOT_THERE:
        raise
    except OSError as error:
        raise read_error(path, error) from error


def entries(folder: Path) -> list[Path]:
    """What lies directly in `folder`, by name; nothing where it is not there.

    Raises CurateError for a folder that may not be read, which Path.glob takes for an empty one.
    """
    try:
        with reading(folder):
            return sorted(folder.iterdir())
    except NOT_THERE:
        return []


def refuse_unlisted(error: OSError) -> None:
    """What os.walk, which would pass over it, is to do with a folder that it can't list: as `entries`."""
    if not isinstance(error, NOT_THERE):
        raise read_error(Path(error.filename), error) from error


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, by name; no link is followed. Raises like `entries`."""
    for place, folders, names in os.walk(folder, onerror=refuse_unlisted):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


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
    named = os.fsdecode(error.filename or "")
    if error.errno in _FULL:
        return disk_error(Path(named or Path.cwd()), error)
    if error.errno in _MEND and (named or error.errno == errno.EIO):
        return CurateError(f"{named or Path.cwd()}: {error.strerror}", _mended(error))
    return None


def _mended(error: OSError) -> str:
    return f"{_MEND.get(error.errno or errno.EIO, 'look at the disk')}, then run it again"


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
