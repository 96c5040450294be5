"""The rows of a table that is being made: on disk until it is written, so that their number costs no memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from curate.pipeline.core.files import writing
from curate.pipeline.scrape.digest_map import DigestMap
from curate.pipeline.scrape.raw_store import HINT
from curate.pipeline.tables import manifest


class RowStore:
    """Rows of `table`, whose key is 32 hexadecimal digits. Used up by one process, gone with it."""

    def __init__(self, table: manifest.Table, folder: Path) -> None:
        """`folder` must be on a disk that takes as much as the table does, ten times over. Raises CurateError."""
        self._table = table
        self._folder = folder
        self._offsets = DigestMap()
        self._encode = msgspec.json.Encoder().encode
        self._end = 0
        with writing(folder, HINT):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as this object

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._offsets

    def add(self, row: Mapping[str, Any]) -> None:
        """Takes one row more. Raises CurateError when the disk refuses."""
        line = self._encode(row) + b"\n"
        self._offsets[bytes.fromhex(row[self._table.key])] = self._end
        self._end += len(line)
        with writing(self._folder, HINT):
            self._file.write(line)

    def batches(self) -> Iterator[pa.Table]:
        """The rows in the order of their keys, as many at a time as go into one group of a file."""
        with writing(self._folder, HINT):
            self._file.flush()
        places = self._offsets.in_order()
        while lines := b"".join(self._line(at) for at in islice(places, manifest.GROUP)):
            yield manifest.from_lines(self._table, lines)

    def _line(self, at: int) -> bytes:
        text, size = b"", 1024
        while (end := text.find(b"\n")) < 0:
            text, size = os.pread(self._file.fileno(), size, at), 4 * size
        return text[: end + 1]
