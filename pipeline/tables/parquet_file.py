"""Files of Parquet: the one writer and the one reader of them, which notice a bit that has flipped since.

Every page of rows has Parquet's own checksum; the notes beside the rows, which Parquet has none for, have a digest. A
file that others wrote without them is read as it is. None is mapped into memory: where a disk fails while it is read, a
map ends the process, a read is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from curate.pipeline.core.files import NOT_THERE, read_error

# A file that is there and can't be read is a CurateError instead: nobody is to make it anew for that.
BROKEN = (OSError, ValueError, OverflowError, MemoryError, pa.ArrowException)
"""What reading a file raises that is not one, is cut, or has other bits than were written."""

_DIGEST = b"curate.digest"


@contextmanager
def writer(
    file: Path | BinaryIO, schema: pa.Schema, notes: Mapping[bytes, bytes] | None = None
) -> Iterator[pq.ParquetWriter]:
    """A writer of rows of `schema` with `notes` beside them. Equal content gives equal bytes."""
    notes = dict(notes or {})
    schema = schema.with_metadata({**notes, _DIGEST: _digest(schema, notes)})
    with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as opened:
        yield opened


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a file, without its notes; with `columns` these alone. Raises CurateError and BROKEN."""
    wanted = None if columns is None else list(columns)
    with _reading(path):
        table = pq.read_table(path, columns=wanted, page_checksum_verification=True)
    table.validate(full=True)  # texts that others wrote may be no UTF-8
    return table.replace_schema_metadata(None)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A file to be read piece by piece. Opening and reading it raise one of BROKEN, for a disk's error, too."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield file


def notes(path: Path) -> dict[bytes, bytes]:
    """What is noted beside the rows, by key. Raises CurateError and BROKEN."""
    with _reading(path):
        schema = pq.read_schema(path)
    found = dict(schema.metadata or {})
    digest = found.pop(_DIGEST, None)
    if digest is not None and digest != _digest(schema, found):
        raise ValueError("what is noted beside its rows has changed since it was written")
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Within the block a disk's error is a CurateError; Arrow's own about what it has read have no number."""
    try:
        yield
    except OSError as error:
        if error.errno and not isinstance(error, NOT_THERE):
            raise read_error(path, error) from error
        raise


def _digest(schema: pa.Schema, notes: Mapping[bytes, bytes]) -> bytes:
    """Of the names of the columns and of `notes`."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (*(name.encode() for name in schema.names), *(part for note in sorted(notes.items()) for part in note)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest().encode()
