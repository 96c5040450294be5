"""Rows of finished work, kept on disk until their table stands: what makes a long stage resumable.

Each finished batch becomes one part file, named after the settings it was made by, so work done by other settings is
never mistaken for it. A part is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import manifest
from curate.pipeline.tables.checks import check_names

_BROKEN = (OSError, ValueError, pa.ArrowException, TableError)
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
            with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, data.schema) as writer:
                writer.write_table(data)

    def read(self, settings: str) -> pa.Table:
        """All rows kept under `settings`. A part that is broken counts as never written."""
        found, batch = [manifest.empty(self.table)], []
        for path in sorted((self.folder / settings).glob("*.arrow")):
            with contextlib.suppress(*_BROKEN), pa.OSFile(str(path)) as file:
                data = pa.ipc.open_file(file).read_all().cast(self.table.schema)
                check_names(self.table, data, str(path))
                batch.append(data)
            if len(batch) == _TOGETHER:
                found, batch = [*found, pa.concat_tables(batch).combine_chunks()], []
        return pa.concat_tables([*found, *batch])

    def clear(self) -> None:
        """Forgets everything: the table stands."""
        shutil.rmtree(self.folder, ignore_errors=True)
