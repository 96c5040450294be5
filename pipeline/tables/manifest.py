"""Every table of curate: reading, checking and writing it. Its columns are declared in curate.pipeline.tables.schema.

Tables are Parquet, sorted by key, with relative posix paths; equal content gives equal bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import TableError, UsageError, clipped, nearest, one_line
from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import parquet_file
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.checks import check, check_columns, check_keys, check_names
from curate.pipeline.tables.provenance import META, again, first
from curate.pipeline.tables.schema import (
    ACCEPTED,
    CROPS,
    DATASET,
    DEDUP,
    EMBEDDINGS,
    FINGERPRINTS,
    IMAGES,
    OK,
    PAIRS,
    REJECTED,
    TABLES,
    Table,
)

__all__ = [
    "ACCEPTED",
    "CROPS",
    "DATASET",
    "DEDUP",
    "EMBEDDINGS",
    "FINGERPRINTS",
    "GROUP",
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
    "filter_domains",
    "from_lines",
    "from_rows",
    "meta",
    "read",
    "summarize",
    "with_photos",
    "write",
    "write_batches",
]

GROUP = 2048  # rows that are compressed together in a file, and read or written at once where tables are long

_VERSION = b"curate.version"
_MAPPINGS = ("section", "inputs", "works")  # of the settings, where they are noted


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


def from_lines(table: Table, lines: bytes) -> pa.Table:
    """JSON objects, one a line, as an Arrow table of `table`'s schema; a key that is absent is null.

    Faster than `from_rows`, which loads pandas where it is installed, and for plain columns only. Raises TableError.
    """
    try:
        return pyarrow.json.read_json(
            io.BytesIO(lines),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines) + 1),
            pyarrow.json.ParseOptions(explicit_schema=table.schema, unexpected_field_behavior="error"),
        ).cast(table.schema)
    except (ValueError, pa.ArrowException) as error:
        raise TableError(f"{table.name}: {error}") from error


def empty(table: Table) -> pa.Table:
    """A `table` without rows."""
    return table.schema.empty_table()


def accepted(data: pa.Table) -> pa.Table:
    """The rows of `data` that were not refused."""
    return data.filter(pc.equal(data["status"], ACCEPTED))


def with_photos(images: pa.Table, root: Path) -> pa.Table:
    """`images`, accepted rows of images.parquet. Raises TableError where one has no photo, as in a folder that was
    exported for a second person to review."""
    if images["path"].null_count:
        raise TableError(
            f"{IMAGES.path(root)}: {images['path'].null_count} accepted rows have no photo here",
            "run it in the folder that this one was exported from",
        )
    return images


def filter_domains(table: Table, data: pa.Table, domains: Sequence[str], root: Path) -> pa.Table:
    """The rows of `data`, which are of `table`, in `domains`; all for none.

    Raises UsageError for a domain that is not there, with the nearest name.
    """
    known = sorted(set(pc.unique(data["domain"]).to_pylist()))
    for domain in domains:
        if domain not in known:
            raise UsageError(
                f"{table.path(root)}: there is no domain '{clipped(domain)}'{nearest(domain, known)}",
                f"domains: {', '.join(known) or 'none'}",
            )
    return data.filter(is_in(data["domain"], domains)) if domains else data


def write(table: Table, data: pa.Table, root: Path, meta: Mapping[str, Any] | None = None) -> Path:
    """Checks, sorts and writes `data` below `root`, whole or not at all, and returns the file's path.

    `meta` is kept as JSON in the file's metadata: the settings that made the table. Raises TableError for data that
    break the table's rules and CurateError for a disk that refuses.
    """
    try:
        data = data.cast(table.schema).combine_chunks()
        order = pc.sort_indices(data[table.key])
    except (ValueError, pa.ArrowException) as error:
        raise TableError(f"{table.name}: {error}") from error
    batches = (data.take(order.slice(start, GROUP)) for start in range(0, len(order), GROUP))
    return write_batches(table, batches, root, meta)


def write_batches(table: Table, batches: Iterable[pa.Table], root: Path, meta: Mapping[str, Any] | None = None) -> Path:
    """The same for rows that come sorted, GROUP at a time: a table of any length in little memory."""
    notes = {_VERSION: str(table.version).encode(), META: json.dumps(meta or {}, sort_keys=True).encode()}
    path, last = _file(table, root), ""
    with (
        atomic_write(path) as temporary,
        parquet_file.writer(temporary, table.schema, notes) as file,
    ):
        for data in batches:
            last = check(table, data, table.name, last)
            file.write_table(data, row_group_size=GROUP)
    return path


def read(table: Table, root: Path, columns: list[str] | None = None) -> pa.Table:
    """The table below `root`, in the order of the file; with `columns` these alone, in that order.

    The whole table is checked as on writing: columns and types, no null where none may be, keys rising, so sorted and
    unique, relative paths, ids that can name files, and reasons of the list that agree with the status. Of `columns`
    alone, because more would mean to read the others: the types, paths, ids, closed lists and numbers among them, and
    the keys. Values are not compared between tables in either case. Raises TableError for what fails.
    """
    path = _file(table, root)
    metadata = _metadata(table, root)
    found = metadata.get(_VERSION, b"none").decode("ascii", "replace")
    if found != str(table.version):
        raise TableError(
            f"{path}: schema version {found}, this curate reads {table.version}",
            f"make it again: {again(table, root)}",
        )
    try:
        data = parquet_file.read(path, columns)
    except parquet_file.BROKEN as error:
        raise TableError(f"{path}: broken: {one_line(error)}", f"make it again: {again(table, root)}") from error
    try:
        check_columns(data.schema.names, table.schema.names if columns is None else columns, str(path))
        if columns is None:
            data = data.cast(table.schema)
            check(table, data, str(path))
        else:
            data = data.cast(pa.schema([table.schema.field(name) for name in columns]))
            check_names(table, data, str(path))
            if table.key in columns:
                check_keys(table, data, str(path))
    except TableError as error:
        raise TableError(error.message, f"make it again: {again(table, root)}") from error
    except (ValueError, pa.ArrowException) as error:
        raise TableError(f"{path}: {one_line(error)}", f"make it again: {again(table, root)}") from error
    return data


def meta(table: Table, root: Path) -> dict[str, Any]:
    """The settings that made the table below `root`. Raises TableError like `read`."""
    notes = _metadata(table, root).get(META, b"{}")
    try:
        settings: dict[str, Any] = msgspec.convert(from_json(notes), dict[str, Any])
        msgspec.convert({name: settings.get(name) for name in _MAPPINGS}, dict[str, dict[str, Any] | None])
    except (ValueError, msgspec.ValidationError) as error:
        raise TableError(
            f"{table.path(root)}: the settings noted in it are broken: {one_line(error)}",
            f"make it again: {again(table, root)}",
        ) from None
    return settings


def exists(table: Table, root: Path) -> bool:
    """Whether the table's file stands below `root`."""
    return table.path(root).is_file()


def _file(table: Table, root: Path) -> Path:
    return inside(root, table.path(root).relative_to(root).as_posix())


def _metadata(table: Table, root: Path) -> Mapping[bytes, bytes]:
    path = table.path(root)
    try:
        return parquet_file.notes(path)
    except FileNotFoundError:
        raise TableError(f"{path}: not there yet", f"make it: {first(table, root)}") from None
    except parquet_file.BROKEN as error:
        raise TableError(
            f"{path}: not a Parquet file: {one_line(error)}", f"make it again: {again(table, root)}"
        ) from None


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
