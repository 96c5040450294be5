"""What every table must keep to, checked on whole columns: keys, reasons, and the paths and ids that lead to files."""

from __future__ import annotations

from array import array

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.confined_path import ID, MAX_ID, MAX_PART, UNSAFE_PATH, is_safe_path, shown
from curate.pipeline.core.errors import TableError
from curate.pipeline.tables.schema import ACCEPTED, OK, REJECTED, Table

_WHOLE_ID = f"^{ID}$"
_LANDMARKS, _NUMBERS = "landmarks", 2 * 68  # x and y of each point, in every table that has them


def check(table: Table, data: pa.Table, where: str, last: str = "") -> str:
    """Raises TableError for rows that break the rules. `last`: the key before them; returns their own last one."""
    if data.schema.names != table.schema.names:
        raise TableError(f"{where}: columns {data.schema.names}, not {table.schema.names}")
    for column in table.schema:
        if not column.nullable and data[column.name].null_count:
            raise TableError(f"{where}: {column.name}: {data[column.name].null_count} rows are empty")
    check_names(table, data, where)
    keys = data[table.key].combine_chunks()
    ends = [keys[at].as_py() for at in (0, -1)] if len(keys) else ["", last]
    if not pc.all(pc.greater(keys[1:], keys[:-1]), min_count=0).as_py() or (len(keys) and ends[0] <= last):
        raise TableError(f"{where}: {table.key}: not sorted, or not unique")
    if table.reasons:
        _check_reasons(table, data, where)
    return str(ends[1])


def check_names(table: Table, data: pa.Table, where: str) -> None:
    """Raises TableError for a path that is not plain, an id of other characters or a face of another number of points,
    with its row and column.

    Of the columns that `data` has, which are some or all of `table`'s.
    """
    for name in data.schema.names:
        if name in table.paths:
            _refuse_first(data, name, _unsafe_paths(data[name]), where, "no relative posix path below the root")
        elif name in table.ids:
            _refuse_first(data, name, _unsafe_ids(data[name]), where, f"no id: {MAX_ID} letters, digits, - and _")
        elif name == _LANDMARKS:
            other = pc.not_equal(pc.list_value_length(data[name]), _NUMBERS)
            if pc.any(other, min_count=0).as_py():
                raise TableError(f"{where}: row {pc.index(other, True).as_py() + 1}, {name}: not {_NUMBERS} numbers")


def _unsafe_paths(paths: pa.ChunkedArray) -> pa.ChunkedArray:
    unsafe = pc.match_substring_regex(paths, UNSAFE_PATH)
    if (pc.max(pc.binary_length(paths)).as_py() or 0) > MAX_PART:  # only then can a part be over-long
        overlong = [path is not None and not is_safe_path(path) for path in paths.to_pylist()]
        unsafe = pc.or_kleene(unsafe, pa.chunked_array([pa.array(overlong, pa.bool_())]))
    return unsafe


def _unsafe_ids(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    unsafe = pc.invert(pc.match_substring_regex(ids, _WHOLE_ID))
    if (pc.max(pc.binary_length(ids)).as_py() or 0) > MAX_ID:
        unsafe = pc.or_kleene(unsafe, pc.greater(pc.binary_length(ids), MAX_ID))
    return unsafe


def _refuse_first(data: pa.Table, name: str, unsafe: pa.ChunkedArray, where: str, what: str) -> None:
    if not pc.any(unsafe, min_count=0).as_py():
        return
    row = pc.index(unsafe, True).as_py()
    value = data[name].cast(pa.binary())[row].as_py().decode("utf-8", "backslashreplace")
    raise TableError(f"{where}: row {row + 1}, {name}: {shown(value)}: {what}")


def _check_reasons(table: Table, data: pa.Table, where: str) -> None:
    stray = set(pc.unique(data["reason"]).to_pylist()) - table.reasons
    if stray:
        raise TableError(f"{where}: reason: not in the list: {', '.join(sorted(stray))}")
    unsaid = set(pc.unique(data["status"]).to_pylist()) - {ACCEPTED, REJECTED}
    agree = pc.equal(_is(data["status"], ACCEPTED), _is(data["reason"], OK))
    if unsaid or not pc.all(agree, min_count=0).as_py():
        raise TableError(f"{where}: status: must be accepted with the reason ok, or rejected with another")


def _is(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    """Whether each value is `text`; in buffers, because Arrow loads pandas, for a fifth of a second, to read a str."""
    said = text.encode()
    ends = pa.py_buffer(array("i", [0, len(said)]))
    return pc.is_in(column, value_set=pa.StringArray.from_buffers(1, ends, pa.py_buffer(said)))
