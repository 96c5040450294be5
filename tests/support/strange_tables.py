"""Tables as a stranger may hand them over: each column damaged in each way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.pipeline.tables.schema import Table
from tests.support.strange_documents import damaged_bytes
from tests.support.strangers import TEXTS, Damage, Handed

NUMBERS = (math.nan, math.inf, -math.inf, -1, 0, 2**40, 1e300, -(2**63), 2**63 - 1, 2**64 - 1, 0.5)
NESTED = pa.struct([("a", pa.list_(pa.struct([("b", pa.string())])))])

_Change = Callable[[pa.Table], pa.Table]


def handed_table(table: Table, commands: Sequence[str]) -> Handed:
    """One of curate's tables."""
    guarded = {*table.paths, *table.ids, "domain", "voted", "split", "status", "reason"}
    return Handed(str(table.path(Path())), damaged_columns(guarded), commands)


def damaged_columns(guarded: set[str]) -> Callable[[Path], Iterator[tuple[str, Damage]]]:
    """Every damage to a table and to its file; each text of the columns `guarded` is one of its own."""

    def damages(path: Path) -> Iterator[tuple[str, Damage]]:
        for name, change in _changes(pq.read_schema(path), guarded):
            yield name, partial(_plant, change)
        yield from damaged_bytes(path)

    return damages


def _changes(schema: pa.Schema, guarded: set[str]) -> Iterator[tuple[str, _Change]]:
    for field in schema:
        name = field.name
        if pa.types.is_string(field.type) and name in guarded:
            yield from ((f"{name}: {str(text)[:24]!r}", _planted(name, [text])) for text in TEXTS)
        elif values := _values(field.type):
            yield f"{name}: all sorts", _planted(name, values)
        yield f"{name}: null", _replaced(name, lambda kind, n: pa.nulls(n, kind))
        yield f"{name}: null type", _replaced(name, lambda kind, n: pa.nulls(n))
        yield f"{name}: another type", _replaced(name, _other)
        yield f"{name}: nested", _replaced(name, lambda kind, n: pa.array([{"a": [{"b": "x"}]}] * n, NESTED))
        yield f"{name}: missing", lambda table, name=name: table.drop_columns([name])
    yield "an extra column", lambda table: table.append_column("\x1b[31m", pa.array(["=1"] * len(table)))
    yield "no rows", lambda table: table.slice(0, 0)
    yield "each row twice", lambda table: pa.concat_tables([table, table])
    yield "upside down", lambda table: table.take(pa.array(range(len(table) - 1, -1, -1)))
    yield "one column twice", lambda table: table.append_column(table.schema.names[0], table.column(0))
    yield "no columns", lambda table: pa.table({})


def _values(kind: pa.DataType) -> list[Any]:
    """Whatever of the values of attack an Arrow array of `kind` holds."""
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        ones = _values(kind.value_type)
        if pa.types.is_fixed_size_list(kind):
            return [[one] * kind.list_size for one in ones]
        return [[one] * count for one in ones for count in (0, 1, 136)] + [[None]]
    if pa.types.is_fixed_size_binary(kind):
        return [bytes(kind.byte_width), b"\xff" * kind.byte_width]
    if pa.types.is_binary(kind):
        return [b"", b"\0", b"\xff" * 192, b"x" * 100_000]
    if pa.types.is_string(kind):
        return list(TEXTS)
    if pa.types.is_boolean(kind):
        return [True, False, None]
    if pa.types.is_timestamp(kind):
        return [-(2**63) + 1, 2**63 - 1, 0]
    return [value for value in NUMBERS if _fits(value, kind)]


def _fits(value: float, kind: pa.DataType) -> bool:
    try:
        pa.array([value], kind)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return False
    return True


def _planted(name: str, values: list[Any]) -> _Change:
    """The values in turn; of one alone, in every row that is accepted, so that it is read."""

    def change(table: pa.Table) -> pa.Table:
        kind, old = table.schema.field(name).type, table[name].to_pylist()
        if len(values) == 1:
            status = table["status"].to_pylist() if "status" in table.schema.names else ["accepted"] * len(old)
            first = next((at for at, one in enumerate(status) if one == "accepted"), 0)
            new = [values[0] if at == first else one for at, one in enumerate(old)]
        else:
            new = [values[at % len(values)] for at in range(len(old))]
        return table.set_column(table.schema.get_field_index(name), name, _array(new, kind))

    return change


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        raw = [None if one is None else one if isinstance(one, bytes) else one.encode() for one in values]
        return pa.array(raw, pa.binary()).view(pa.string())
    return pa.array(values, kind)


def _replaced(name: str, made: Callable[[pa.DataType, int], pa.Array]) -> _Change:
    def change(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(name)
        return table.set_column(index, name, made(table.schema.field(name).type, len(table)))

    return change


def _other(kind: pa.DataType, count: int) -> pa.Array:
    return pa.array([1.5] * count) if pa.types.is_string(kind) else pa.array(["=x\x1b"] * count)


def _plant(change: _Change, path: Path, outside: Path) -> None:
    """Changes the table at `path`, its notes left but for their digest."""
    table = pq.read_table(path)
    notes = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"curate.digest"}
    found = change(table)
    columns = [_with_place(column, outside) for column in found.columns]
    found = pa.table(columns, schema=pa.schema([pa.field(f.name, f.type) for f in found.schema]))
    pq.write_table(found.replace_schema_metadata(notes), path)


def _with_place(column: pa.ChunkedArray, outside: Path) -> pa.ChunkedArray:
    """`{outside}` in its texts is where that is."""
    if not pa.types.is_string(column.type):
        return column
    raw = [one and one.replace(b"{outside}", str(outside).encode()) for one in column.cast(pa.binary()).to_pylist()]
    return pa.chunked_array([pa.array(raw, pa.binary()).view(pa.string())])
