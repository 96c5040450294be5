"""What every table must keep to, checked on whole columns: keys, names from closed lists and alphabets, and the paths
and ids that lead to files.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from itertools import zip_longest

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.confined_path import ID, MAX_ID, MAX_PART, UNSAFE_PATH, is_safe_path, shown
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.terminal_text import visible_line
from curate.pipeline.tables.number_checks import check_numbers
from curate.pipeline.tables.schema import ACCEPTED, COLOURS, OK, POINTS, REJECTED, Table
from curate.pipeline.tables.splits import SPLITS

MAX_DOMAIN = 250  # characters

_DOMAINS = ("domain", "voted")  # columns of names of domains, in every table that has them
_NO_PICTURE = r"/\.|\.(jsonl|tar)$"  # in a folder of pictures: what is hidden, journals, whole shards
_WHOLE_ID = f"^{ID}$"
_LENGTHS = {
    "landmarks": 2 * POINTS,
    "article_colours": COLOURS,
    "human_colours": COLOURS,
}  # numbers or bytes, by column


def is_domain(name: str) -> bool:
    """Whether `name` may be a domain's: one line, 1 to MAX_DOMAIN characters, of which none steers a terminal."""
    return len(name) <= MAX_DOMAIN and bool(name.strip()) and visible_line(name) == name


def as_domain(name: str) -> str:
    """`name` as `is_domain` wants it: cut, with codes for what steers a terminal."""
    line = visible_line(name)[:MAX_DOMAIN]
    return line if line.strip() else "_"


def is_picture_path(path: str, folder: str) -> bool:
    """Whether `path` is relative and posix, and names what may be a picture below `folder`."""
    return is_safe_path(path) and path.startswith(f"{folder}/") and not re.search(_NO_PICTURE, path)


def check(table: Table, data: pa.Table, where: str, last: str = "") -> str:
    """Raises TableError for rows that break the rules. `last`: the key before them; returns their own last one."""
    check_columns(data.schema.names, table.schema.names, where)
    for column in table.schema:
        if not column.nullable and data[column.name].null_count:
            raise TableError(f"{where}: {column.name}: {data[column.name].null_count} rows are empty")
    check_names(table, data, where)
    last = check_keys(table, data, where, last)
    if table.reasons:
        _check_reasons(data, where)
    return last


def check_keys(table: Table, data: pa.Table, where: str, last: str = "") -> str:
    """Raises TableError where the keys do not rise. `last`: the key before them; returns their own last one."""
    keys = data[table.key].combine_chunks()
    ends = [keys[at].as_py() for at in (0, -1)] if len(keys) else ["", last]
    if not pc.all(pc.greater(keys[1:], keys[:-1]), min_count=0).as_py() or (len(keys) and ends[0] <= last):
        raise TableError(f"{where}: {table.key}: not sorted, or not unique")
    return str(ends[1])


def check_columns(found: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """Raises TableError where the columns `found` are not those that are `wanted`, in that order."""
    for name in wanted:
        if found.count(name) != 1:
            raise TableError(f"{where}: column {name}: {'there twice' if name in found else 'missing'}")
    for name, other in zip_longest(found, wanted):
        if name != other:
            raise TableError(f"{where}: column {shown(name or other)}: {'none of its' if name else 'missing'} here")


def check_names(table: Table, data: pa.Table, where: str) -> None:
    """Raises TableError for a path of no picture of `table`'s, an id of other characters, a domain, split, status or
    reason that is none, a face of another number of points, a grid of another size, an accepted row without a path or a
    number that no stage measures, with its row and column.

    Of the columns that `data` has, which are some or all of `table`'s.
    """
    closed = {"split": SPLITS, "status": (ACCEPTED, REJECTED), "reason": table.reasons}
    for name in data.schema.names:
        if name in table.paths:
            unsafe = _unsafe_paths(data[name], table.paths[name])
            _refuse_first(data, name, unsafe, where, f"no relative posix path of a picture below {table.paths[name]}")
        elif name in _DOMAINS:
            what = f"no name of a domain: one line of 1 to {MAX_DOMAIN} characters that can be seen"
            _refuse_others(data, name, is_domain, where, what)
        elif closed.get(name):
            _refuse_others(data, name, closed[name].__contains__, where, "not in the list")
        elif name in table.ids:
            _refuse_first(data, name, _unsafe_ids(data[name]), where, f"no id: {MAX_ID} letters, digits, - and _")
        elif name in _LENGTHS:
            _check_lengths(data, name, where)
    _check_accepted(table, data, where)
    check_numbers(table, data, where)


def _check_lengths(data: pa.Table, name: str, where: str) -> None:
    is_binary, length = pa.types.is_binary(data[name].type), _LENGTHS[name]
    other = pc.not_equal((pc.binary_length if is_binary else pc.list_value_length)(data[name]), length)
    if pc.any(other, min_count=0).as_py():
        row = pc.index(other, True).as_py() + 1
        raise TableError(f"{where}: row {row}, {name}: not {length} {'bytes' if is_binary else 'numbers'}")


def _refuse_others(data: pa.Table, name: str, known: Callable[[str], bool], where: str, what: str) -> None:
    """Raises TableError for the first name in the column, which has few different ones, that is not `known`."""
    stray = (one for one in pc.unique(data[name]).to_pylist() if one is not None and not known(one))
    if (found := next(stray, None)) is not None:
        _refuse_first(data, name, _is(data[name], found), where, what)


def _unsafe_paths(paths: pa.ChunkedArray, folder: str) -> pa.ChunkedArray:
    unsafe = pc.match_substring_regex(paths, f"{UNSAFE_PATH}|{_NO_PICTURE}")
    unsafe = pc.or_kleene(unsafe, pc.invert(pc.starts_with(paths, f"{folder}/")))
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


def _check_accepted(table: Table, data: pa.Table, where: str) -> None:
    """What was accepted has its pictures, and the ids of its photos, which themselves may stay with another person."""
    if not table.reasons or "status" not in data.schema.names:
        return
    own = table.paths if table.pictures else ()
    for name in (*own, *(name for name in table.ids if name.endswith("image_id"))):
        if name in data.schema.names and data[name].null_count:
            lacking = pc.and_(pc.is_null(data[name]), _is(data["status"], ACCEPTED))
            if pc.any(lacking, min_count=0).as_py():
                row = pc.index(lacking, True).as_py() + 1
                raise TableError(f"{where}: row {row}, {name}: empty, and the row is accepted")


def _check_reasons(data: pa.Table, where: str) -> None:
    agree = pc.equal(_is(data["status"], ACCEPTED), _is(data["reason"], OK))
    if not pc.all(agree, min_count=0).as_py():
        raise TableError(f"{where}: status: must be accepted with the reason ok, or rejected with another")


def _is(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    """Whether each value is `text`; in buffers, because Arrow loads pandas, for a fifth of a second, to read a str."""
    said = text.encode()
    ends = pa.py_buffer(array("i", [0, len(said)]))
    return pc.is_in(column, value_set=pa.StringArray.from_buffers(1, ends, pa.py_buffer(said)))
