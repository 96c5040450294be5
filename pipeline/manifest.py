"""Every table of curate: reading, checking and writing it. Its columns are declared in pipeline.schema.

Tables are Parquet, sorted by key, with relative posix paths; equal content gives equal bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import CurateError, TableError
from pipeline.schema import ACCEPTED, CROPS, DATASET, DEDUP, IMAGES, OK, PAIRS, REJECTED, TABLES, Table

__all__ = [
    "ACCEPTED",
    "CROPS",
    "DATASET",
    "DEDUP",
    "IMAGES",
    "OK",
    "PAIRS",
    "REJECTED",
    "TABLES",
    "Summary",
    "Table",
    "accepted",
    "empty",
    "exists",
    "from_rows",
    "meta",
    "read",
    "replacing",
    "summarize",
    "write",
]

_VERSION, _META = b"curate.version", b"curate.meta"


def from_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """`rows` as an Arrow table of `table`'s schema; a key that is absent is null. Raises TableError if ill-typed."""
    rows = list(rows)
    stray = {key for row in rows for key in row} - set(table.schema.names)
    if stray:
        raise TableError(f"{table.name}: no such column: {', '.join(sorted(stray))}")
    try:
        return pa.Table.from_pylist(rows, schema=table.schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise TableError(f"{table.name}: {error}") from error


def empty(table: Table) -> pa.Table:
    """A `table` without rows."""
    return table.schema.empty_table()


def accepted(data: pa.Table) -> pa.Table:
    """The rows of `data` that were not refused."""
    return data.filter(pc.equal(data["status"], ACCEPTED))


def write(table: Table, data: pa.Table, root: Path, meta: Mapping[str, Any] | None = None) -> Path:
    """Checks, sorts and writes `data` below `root`, whole or not at all, and returns the file's path.

    `meta` is kept as JSON in the file's metadata: the settings that made the table. Raises TableError for data that
    break the table's rules and CurateError for a disk that refuses.
    """
    try:
        data = data.cast(table.schema).sort_by(table.key).combine_chunks()
    except (ValueError, pa.ArrowException) as error:
        raise TableError(f"{table.name}: {error}") from error
    _check(table, data, table.name)
    notes = {_VERSION: str(table.version).encode(), _META: json.dumps(meta or {}, sort_keys=True).encode()}
    path = table.path(root)
    with replacing(path) as temporary:
        pq.write_table(data.replace_schema_metadata(notes), temporary, compression="zstd", store_schema=True)
    return path


def read(table: Table, root: Path, columns: list[str] | None = None) -> pa.Table:
    """The checked table below `root`, in key order.

    Raises TableError when it is missing, broken, invalid or of another schema version.
    """
    path = table.path(root)
    metadata = _metadata(table, path)
    found = metadata.get(_VERSION, b"none").decode("ascii", "replace")
    if found != str(table.version):
        raise TableError(
            f"{path}: schema version {found}, this curate reads {table.version}",
            f"make it again: {table.made_by}",
        )
    try:
        data = pq.read_table(path, columns=columns, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: broken: {error}", f"make it again: {table.made_by}") from error
    data = data.replace_schema_metadata(None)
    if columns is None:
        try:
            data = data.cast(table.schema)
            _check(table, data, str(path))
        except (ValueError, pa.ArrowException) as error:
            raise TableError(f"{path}: {error}", f"make it again: {table.made_by}") from error
    return data


def meta(table: Table, root: Path) -> dict[str, Any]:
    """The settings that made the table below `root`. Raises TableError like `read`."""
    settings: dict[str, Any] = json.loads(_metadata(table, table.path(root)).get(_META, b"{}"))
    return settings


def exists(table: Table, root: Path) -> bool:
    """Whether the table's file stands below `root`."""
    return table.path(root).is_file()


def _metadata(table: Table, path: Path) -> Mapping[bytes, bytes]:
    try:
        return pq.read_schema(path, memory_map=True).metadata or {}
    except FileNotFoundError:
        raise TableError(f"{path}: not there yet", f"make it: {table.made_by}") from None
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{path}: not a Parquet file: {error}", f"make it again: {table.made_by}") from None


def _check(table: Table, data: pa.Table, where: str) -> None:
    if data.schema.names != table.schema.names:
        raise TableError(f"{where}: columns {data.schema.names}, not {table.schema.names}")
    for column in table.schema:
        if not column.nullable and data[column.name].null_count:
            raise TableError(f"{where}: {column.name}: {data[column.name].null_count} rows are empty")
    keys = data[table.key].to_numpy(zero_copy_only=False)
    if len(keys) > 1 and not (keys[1:] > keys[:-1]).all():
        raise TableError(f"{where}: {table.key}: not sorted, or not unique")
    for name in table.paths:
        paths = pc.drop_null(data[name])
        if pc.any(pc.match_substring_regex(paths, r"^$|^/|\\|(^|/)\.\.(/|$)|^[A-Za-z]:")).as_py():
            raise TableError(f"{where}: {name}: not a relative posix path below the root")
    if table.reasons:
        _check_reasons(table, data, where)


def _check_reasons(table: Table, data: pa.Table, where: str) -> None:
    stray = set(pc.unique(data["reason"]).to_pylist()) - table.reasons
    if stray:
        raise TableError(f"{where}: reason: not in the list: {', '.join(sorted(stray))}")
    unsaid = set(pc.unique(data["status"]).to_pylist()) - {ACCEPTED, REJECTED}
    agree = pc.equal(pc.equal(data["status"], ACCEPTED), pc.equal(data["reason"], OK))
    if unsaid or not pc.all(agree, min_count=0).as_py():
        raise TableError(f"{where}: status: must be accepted with the reason ok, or rejected with another")


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
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
        raise CurateError(
            f"{path}: cannot write: {error.strerror or error}",
            "free some space or mend the rights, then run it again",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # mostly it is gone: renamed, or never written
            temporary.unlink()


@dataclass(frozen=True)
class Summary:
    """How a stage went: rows by what became of them."""

    table: str
    rows: int
    accepted: int
    reasons: Mapping[str, int]  # why the others were refused, most frequent first


def summarize(table: Table, data: pa.Table) -> Summary:
    """Counts `data` by status and reason."""
    if not table.reasons:
        return Summary(table.name, data.num_rows, data.num_rows, {})
    counts = pc.value_counts(data["reason"]).to_pylist()
    reasons = {c["values"]: c["counts"] for c in sorted(counts, key=lambda c: (-c["counts"], c["values"]))}
    return Summary(table.name, data.num_rows, reasons.pop(OK, 0), reasons)
