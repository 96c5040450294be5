"""Files of JSON objects, one a line: several writers add to one at the same time, and a crash costs no line.

A line ends in a CRC-32 of the rest of it, so that a bit that flips is noticed. One without it, as persons, other
programs and older versions write them, is read as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec

from curate.pipeline.core.errors import one_line
from curate.pipeline.core.files import NOT_THERE, atomic_write, disk_error, reading
from curate.pipeline.core.locks import has_no_locks, waiting_lock

T = TypeVar("T")
_CRC, _END = b',"crc":"', b'"}'
_SEAL = len(_CRC) + 8 + len(_END)  # bytes

Line: TypeAlias = tuple[int, bytes, T | str]  # number from 1, text, object; instead of it what is wrong, "" for a blank


def sealed(one: msgspec.Struct) -> bytes:
    """`one` as a line, without its end, that says its checksum."""
    text = msgspec.json.encode(one)
    return b"%b%b%08x%b" % (text[:-1], _CRC, zlib.crc32(text), _END)


def check(line: bytes) -> None:
    """Raises ValueError for a line that says another checksum than it has."""
    line = line.rstrip()
    seal = line[-_SEAL:]
    if seal.startswith(_CRC) and seal.endswith(_END) and b"%08x" % zlib.crc32(line[:-_SEAL] + b"}") != seal[8:16]:
        raise ValueError("its crc is of another text: a bit has flipped, or somebody has edited it and left the crc")


def append(path: Path, objects: Iterable[msgspec.Struct]) -> None:
    """Adds `objects` at the end of the file, all or none, and waits until the disk has them; makes the file.

    Where the disk becomes read-only meanwhile, they may stand there although this fails. Raises CurateError for a disk
    that refuses.
    """
    text = b"".join(sealed(one) + b"\n" for one in objects)
    with locked(path) as stream:
        size = os.fstat(stream).st_size
        if size and os.pread(stream, 1, size - 1) != b"\n":  # an editor, or a writer that was killed, left it open
            text = b"\n" + text
        try:
            written = 0
            while written < len(text):
                written += os.write(stream, text[written:])
            os.fsync(stream)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(stream, size)
            raise


def append_whole(path: Path, objects: Iterable[msgspec.Struct]) -> None:
    """As `append`, in a new file that takes the old one's place: where this fails, none of `objects` stands there.

    For what must not be done twice, since it costs as much as the file is long. Raises CurateError.
    """
    with locked(path):
        text = path.read_bytes()
        if text and not text.endswith(b"\n"):
            text += b"\n"
        with atomic_write(path) as temporary:
            temporary.write_bytes(text + b"".join(sealed(one) + b"\n" for one in objects))
        with contextlib.suppress(OSError):  # it stands, whatever comes of this
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def read(path: Path, decoder: msgspec.json.Decoder[T]) -> Iterator[Line[T]]:
    """The lines of the file; none without one. Raises CurateError for a file that can't be read."""
    try:
        with reading(path):
            data = path.read_bytes()
    except NOT_THERE:
        return
    yield from parse(data, decoder)


def parse(data: bytes, decoder: msgspec.json.Decoder[T]) -> Iterator[Line[T]]:
    """The lines of `data`."""
    for number, text in enumerate(data.splitlines(), 1):
        found: T | str = ""
        if text.strip():
            try:
                found = decoder.decode(text)
                check(text)
            except (msgspec.MsgspecError, ValueError) as error:
                found = one_line(error)
        yield number, text, found


def rewrite(path: Path, lines: Callable[[], tuple[list[bytes], list[bytes]]]) -> None:
    """Puts other lines in place of those that stand: `lines` says which stand and which are to, while nobody writes.

    The file takes its place whole or not at all, and not where nothing changes. Raises CurateError.
    """
    with locked(path):
        before, after = lines()
        if before != after:
            with atomic_write(path) as temporary:
                temporary.write_bytes(b"".join(text + b"\n" for text in after))


class _Named(msgspec.Struct):
    item: str


def forget(path: Path, items: Set[str]) -> None:
    """Takes out the lines about any of `items`; all others stay as they are, those that nobody can read, too."""
    decoder = msgspec.json.Decoder(_Named)

    def is_about(text: bytes) -> bool:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return decoder.decode(text).item in items
        return False

    def lines() -> tuple[list[bytes], list[bytes]]:
        found = [text for _, text, _ in read(path, decoder)]
        return found, [text for text in found if not is_about(text)]

    if items and path.exists():
        rewrite(path, lines)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[int]:
    """The file at `path`, made if need be and open for appending, while no other process writes to it."""
    stream, instead = -1, contextlib.ExitStack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:
                if not has_no_locks(error):
                    raise
                os.close(stream)
                instead.enter_context(waiting_lock(path.with_name(f".{path.name}.lock")))
                stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                break
            if path.exists() and os.path.samestat(os.fstat(stream), path.stat()):
                break
            os.close(stream)  # another process has put a new file in its place
        yield stream
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        instead.close()
        if stream >= 0:
            with contextlib.suppress(OSError):
                os.close(stream)
