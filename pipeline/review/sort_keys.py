"""What crops can be sorted by: every number that was measured of them, the pose, and the likeness of their hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.core.errors import TableError, UsageError, nearest
from curate.pipeline.faces import pose
from curate.pipeline.hashing import ordering
from curate.pipeline.hashing.arrays import Hashes, Positions
from curate.pipeline.tables.arrow import as_float
from curate.pipeline.tables.manifest import CROPS, DEDUP
from curate.pipeline.tables.schema import POINTS

Values: TypeAlias = NDArray[np.float64]  # [n], NaN where there is none
Order: TypeAlias = tuple[Positions, Values]


@dataclass(frozen=True)
class Key:
    """Something to sort crops by."""

    name: str
    columns: tuple[str, ...]  # of crops.parquet, which it needs
    values: Callable[[pa.Table], Values] | None = None
    ordered: Callable[[pa.Table], Order] | None = None  # instead, where the values follow from the order


def named(name: str) -> Key:
    """The key called `name`. Raises UsageError, with the nearest, if there is none."""
    if name not in KEYS:
        raise UsageError(f"there is no key '{name}'{nearest(name, KEYS)}", f"keys: {', '.join(KEYS)}")
    return KEYS[name]


def sort(table: pa.Table, key: Key, *, reverse: bool = False) -> Order:
    """The rows of `table` in order of `key`, as positions, and the value of each in that order.

    Lowest first, with `reverse` the highest; those without a value come last. Equal ones stay in the table's order.
    """
    if key.ordered:
        places, values = key.ordered(table)
        known = int(np.isfinite(values).sum())
        turn = np.arange(len(places))
        turn[:known] = turn[:known][:: -1 if reverse else 1]
        return places[turn], values[turn]
    assert key.values is not None, f"the key {key.name} has neither values nor an order"
    values = key.values(table)
    places = np.argsort(-values if reverse else values, kind="stable")  # NaN last, either way
    return places, values[places]


def poses(table: pa.Table) -> Values:
    """Yaw and pitch, degrees, [n, 2]; NaN without landmarks."""
    known = pc.and_(pc.is_valid(table["landmarks"]), pc.equal(pc.list_value_length(table["landmarks"]), 136))
    mask = pc.fill_null(known, False).to_numpy(zero_copy_only=False)
    flat = pc.list_flatten(table["landmarks"].filter(pa.array(mask))).to_numpy(zero_copy_only=False)
    points = np.asarray(flat, np.float64).reshape(-1, POINTS, 2)
    angles = np.full((table.num_rows, 2), np.nan)
    angles[mask] = pose.yaw_pitch(points)
    return angles


def _number(name: str) -> Key:
    return Key(name, (name,), lambda table: as_float(table[name]))


def _flag(table: pa.Table) -> Values:
    return as_float(table["is_grey"].cast(pa.int8()))


def _hue(table: pa.Table) -> Values:
    """A grey crop has no hue."""
    grey = pc.fill_null(table["is_grey"], True).to_numpy(zero_copy_only=False)
    return np.where(grey, np.nan, as_float(table["hue"]))


COLOURS = ("hair_colour", "eye_colour", "skin_colour")  # columns of "#rrggbb"
_COLOURLESS = 10.0  # chroma, 0..255, below which a colour has no hue that is seen


def _rgb(table: pa.Table, column: str) -> Values:
    """The colours of a column, sRGB 0..255 [n, 3]; NaN where there is none."""
    texts = table[column].to_pylist()
    return np.array([[*bytes.fromhex(text[1:])] if text else [np.nan] * 3 for text in texts], float).reshape(-1, 3)


def _colour_hue(table: pa.Table, column: str) -> Values:
    """Degrees, as the column hue has them; blacks, greys and whites have none."""
    red, green, blue = _rgb(table, column).T
    across, up = red - (green + blue) / 2, np.sqrt(0.75) * (green - blue)
    return np.where(np.hypot(across, up) < _COLOURLESS, np.nan, np.degrees(np.arctan2(up, across)) % 360.0)


def _lightness(table: pa.Table, column: str) -> Values:
    """L* of CIE 1976, 0 black to 100 white."""
    shares = _rgb(table, column) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def _by_hash(function: Callable[[Hashes], tuple[Positions, NDArray[np.int64]]]) -> Callable[[pa.Table], Order]:
    """Orders the rows that have a hash by `function`, the others after them."""

    def ordered(table: pa.Table) -> Order:
        known = pc.is_valid(table["phash"]).to_numpy(zero_copy_only=False)
        if table.num_rows and not known.any():
            raise TableError("none of these crops has a hash: dedup hashes what crop accepted", f"run: {DEDUP.made_by}")
        have, lack = np.flatnonzero(known), np.flatnonzero(~known)
        places, bits = function(pc.drop_null(table["phash"]).to_numpy().astype(np.uint64))
        return np.concatenate([have[places], lack]), np.concatenate([bits, np.full(len(lack), np.nan)])

    return ordered


BY_HASH = {"alike": ordering.alike, "least-alike": ordering.least_alike}


def _keys() -> Iterator[Key]:
    yield Key("yaw", ("landmarks",), lambda table: poses(table)[:, 0])
    yield Key("pitch", ("landmarks",), lambda table: poses(table)[:, 1])
    for name, function in BY_HASH.items():
        yield Key(name, (), ordered=_by_hash(function))
    yield Key("hue", ("hue", "is_grey"), _hue)
    yield Key("is_grey", ("is_grey",), _flag)
    for column in COLOURS:
        part = column.removesuffix("_colour")
        yield Key(f"{part}_hue", (column,), partial(_colour_hue, column=column))
        yield Key(f"{part}_lightness", (column,), partial(_lightness, column=column))
    for column in CROPS.schema:
        measured = pa.types.is_floating(column.type) or column.name == "faces"
        if measured and column.name != "hue":
            yield _number(column.name)


KEYS: Mapping[str, Key] = {key.name: key for key in _keys()}
