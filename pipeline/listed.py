"""The images that crop works on, as a table; see pipeline.columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import manifest
from pipeline.rows import Item


def read(root: Path) -> pa.Table:
    """Item's columns of every image that scrape accepted and that has no role, each once, by domain and image.

    Raises TableError for images.parquet.
    """
    data = manifest.accepted(manifest.read(manifest.IMAGES, root, [*Item._fields, "role", "status"]))
    data = data.filter(pc.is_null(data["role"])).select(Item._fields)
    data = data.sort_by([(name, "ascending") for name in ("domain", "image_id", "path", "license")]).combine_chunks()
    own = key(data)
    return data.filter(pa.concat_arrays([pa.array([True]), pc.not_equal(own[1:], own[:-1])])) if len(own) else data


def key(table: pa.Table) -> pa.Array:
    """What names the image of each row: its domain and image_id."""
    return pc.binary_join_element_wise(table["domain"], table["image_id"], "\0").combine_chunks()


def among(table: pa.Table, others: pa.Table) -> pa.Array:
    """Whether the image of each row of `table` is that of a row of `others`."""
    return pc.is_in(key(table), value_set=key(others))


def items(table: pa.Table) -> tuple[Item, ...]:
    """The rows of `table`, which must be few."""
    return tuple(Item(**row) for row in table.select(Item._fields).to_pylist())
