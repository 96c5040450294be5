"""Numbers and times of a table, checked on whole columns: none that no stage measures and no code expects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.errors import TableError
from curate.pipeline.tables.schema import Table

LARGEST = 1e9  # of measures: px, degrees, shares, variances; NaN and infinity are none
MOST = 2**53  # of counts: JSON's readers agree on those up to there

_LEAST = {"width": 1, "height": 1, "face_index": -1}  # of counts; of all others 0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN, _END = (  # a day within what Python has, for other time zones
    (moment - _EPOCH) // timedelta(microseconds=1)
    for moment in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
)


class _Limits(NamedTuple):
    low: float
    high: float
    what: str  # a value beyond them is not


def check_numbers(table: Table, data: pa.Table, where: str) -> None:
    """Raises TableError for a measure beyond LARGEST, a count that is negative or beyond MOST, and a time of no year
    from 1 to 9999, with its row and column."""
    for name in data.schema.names:
        values, kind = data[name], table.schema.field(name).type
        is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
        if is_list:
            values, kind = pc.list_flatten(values), kind.value_type
        if (limits := _limits(name, kind)) is None:
            continue
        if pa.types.is_timestamp(kind):
            values = values.cast(pa.int64())
        if _are_within(values, limits):
            continue
        low, high = (pa.scalar(limit, values.type) for limit in limits[:2])
        within = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))  # NaN is neither
        at = pc.index(within, False).as_py()
        row = pc.list_parent_indices(data[name])[at].as_py() if is_list else at
        raise TableError(f"{where}: row {row + 1}, {name}: {values[at]}: {limits.what}")


def _are_within(values: pa.ChunkedArray, limits: _Limits) -> bool:
    """Asked without a scalar of Arrow's, which loads pandas, for a fifth of a second, to make one."""
    ends = pc.min_max(values).as_py()  # which pass over NaN
    finite = pc.all(pc.is_finite(values), min_count=0).as_py()
    return finite and (ends["min"] is None or limits.low <= ends["min"] <= ends["max"] <= limits.high)


def _limits(name: str, kind: Any) -> _Limits | None:
    if pa.types.is_floating(kind):
        return _Limits(-LARGEST, LARGEST, f"no number from {-LARGEST:,.0f} to {LARGEST:,.0f}")
    if pa.types.is_signed_integer(kind):
        least, most = _LEAST.get(name, 0), min(MOST, 2 ** (kind.bit_width - 1) - 1)
        return _Limits(least, most, f"no number from {least} to {most:,}")
    if pa.types.is_timestamp(kind):
        return _Limits(_BEGIN, _END, "no time of the years from 1 to 9999")
    return None
