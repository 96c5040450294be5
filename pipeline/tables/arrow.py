"""What is done with Arrow columns again and again, without a Python object for each value of a long one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_CHUNK = 4096  # values that are Python objects at once


def is_in(column: pa.Array | pa.ChunkedArray, values: Iterable[str]) -> pa.Array | pa.ChunkedArray:
    """Whether each text is one of `values`, bool [n]; False for null."""
    return pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))


def filter_rows(table: pa.Table, mask: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows of `table` for which `mask` is true: no copy when that is all of them."""
    return table if pc.all(mask, min_count=0).as_py() else table.filter(mask)


def replace_column(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """`table` with `values`, [n], as its column `name`, whose place and field stay."""
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), values)


def as_float(column: pa.ChunkedArray, null: float = np.nan) -> NDArray[np.float64]:
    """The numbers of `column` as float64, which rounds those beyond 2^53, [n], with `null` where it is null."""
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else np.zeros(0, bool)
    return np.where(missing, null, values) if missing.any() else values


def iterate(column: pa.ChunkedArray) -> Iterator[Any]:
    """The values of `column`, few of which are Python objects at a time."""
    for start in range(0, len(column), _CHUNK):
        yield from column.slice(start, _CHUNK).to_pylist()


def first_occurrence(column: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """The positions at which values appear for the first time, rising."""
    codes = pc.dictionary_encode(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).indices
    return np.sort(np.unique(codes.to_numpy(), return_index=True)[1]).astype(np.int64)
