"""Rows of finished work, kept on disk until their table stands: what makes a long stage resumable.

Each finished batch becomes one part file, named after the settings it was made by, so work done by other settings is
never mistaken for it. A part is written whole or not at all, and begins with a digest of the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.files import atomic_write, entries, reading
from curate.pipeline.tables import manifest
from curate.pipeline.tables.checks import check_names

_BROKEN = (OSError, ValueError, pa.ArrowException, TableError)
_DIGEST = 16  # bytes
_TOGETHER = 256  # parts that become one piece of memory: a column of few values takes more room than they


class PartialTable:
    """The part files of one stage, in a folder of its own."""

    def __init__(self, table: manifest.Table, root: Path, folder: str) -> None:
        """`folder` is below `root`. Raises ConfinementError where a link leads out of that."""
        self.table = table
        self.folder = closed_folder(root, folder)
        self._next = 0

    def add(self, settings: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keeps the rows of one batch, made by `settings` (a digest). Raises CurateError for a disk that refuses."""
        folder = self.folder / settings
        while (path := folder / f"{self._next:08}.arrow").exists():
            self._next += 1
        with atomic_write(path, durable=False) as temporary:  # a torn part only costs its batch
            data = manifest.from_rows(self.table, rows)
            buffer = pa.BufferOutputStream()
            with pa.ipc.new_file(buffer, data.schema) as writer:
                writer.write_table(data)
            temporary.write_bytes(_sealed(buffer.getvalue()))

    def read(self, settings: str) -> pa.Table:
        """All rows kept under `settings`. A part that is broken counts as never written.

        Raises CurateError for what can't be read.
        """
        found, batch = [manifest.empty(self.table)], []
        for path in (one for one in entries(self.folder / settings) if one.suffix == ".arrow"):
            with contextlib.suppress(*_BROKEN):
                data = pa.ipc.open_file(_opened(path)).read_all().cast(self.table.schema)
                check_names(self.table, data, str(path))
                batch.append(data)
            if len(batch) == _TOGETHER:
                found, batch = [*found, pa.concat_tables(batch).combine_chunks()], []
        return pa.concat_tables([*found, *batch])

    def clear(self) -> None:
        """Forgets everything: the table stands."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sealed(content: pa.Buffer) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest() + content.to_pybytes()


def _opened(path: Path) -> memoryview:
    """What `_sealed` was given. Raises ValueError where it has changed since."""
    with reading(path):
        content = memoryview(path.read_bytes())
    if hashlib.blake2b(content[_DIGEST:], digest_size=_DIGEST).digest() != content[:_DIGEST]:
        raise ValueError(f"{path}: broken")
    return content[_DIGEST:]
