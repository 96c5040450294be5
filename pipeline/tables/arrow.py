"""Long columns handled without a Python object for each value, which would weigh more than a picture's whole row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CHUNK = 4096  # values that are Python objects at once


def has(column: pa.ChunkedArray, values: Iterable[str]) -> pa.ChunkedArray:
    """Whether each value is one of `values`."""
    return pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))


def where(table: pa.Table, mask: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows of `table` for which `mask` is true: no copy when that is all of them."""
    return table if pc.all(mask, min_count=0).as_py() else table.filter(mask)


def texts(column: pa.ChunkedArray) -> Iterator[Any]:
    """The values of `column`, few of which are Python objects at a time."""
    for start in range(0, len(column), _CHUNK):
        yield from column.slice(start, _CHUNK).to_pylist()


def firsts(column: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The positions at which values appear for the first time, in order."""
    codes = pc.dictionary_encode(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).indices
    return np.sort(np.unique(codes.to_numpy(), return_index=True)[1]).astype(np.int64)
