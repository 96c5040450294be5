"""Tables of strangers: no path and no id of any column leads anywhere, whether all columns are read or that one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.core.errors import TableError
from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import EMBEDDINGS, FINGERPRINTS, TABLES, Table
from curate.pipeline.tables.suspects_table import SUSPECTS

EVERY = [*TABLES.values(), FINGERPRINTS, EMBEDDINGS, SUSPECTS]
FREE = {  # ids that are what a site says, and name no file
    ("images", "group_id"),
    ("pairs", "group_id"),
    ("pairs", "cluster_id"),
}
PATHS = "../x", "/etc/passwd", "a/../../x", "..", ".", "a//b", "a/", "./a", "C:/x", "a\\b", "a\0b", "a\x1b[2Jb", ""
PATHS_AND_SHARDS = *PATHS, "../x.tar/512+9/x.png", "/x.tar/512+9/x.png", "a/" + "長" * 90, "x" * 256 + "/a", "a\n"
IDS = "../x", "/tmp/x", "..", "a/b", "a\\b", "a.b", "a b", "a\n", "a\0", "-a", "_a", "長", "", "x" * 129, "a\x1b[2J"
COLUMNS = [
    *((table, name, PATHS_AND_SHARDS) for table in EVERY for name in table.paths),
    *((table, name, IDS) for table in EVERY for name in table.ids),
]


def value(kind: pa.DataType) -> Any:
    """Something of that type."""
    if pa.types.is_fixed_size_list(kind):
        return [1] * kind.list_size
    if pa.types.is_fixed_size_binary(kind):
        return bytes(kind.byte_width)
    if pa.types.is_list(kind):
        return [value(kind.value_type)] * 136  # as landmarks are
    if pa.types.is_boolean(kind):
        return True
    return b"a" if pa.types.is_binary(kind) else "a" if pa.types.is_string(kind) else 1


def plant(table: Table, root: Path, name: str, found: Any) -> None:
    """A file of `table` as a stranger would make it: two rows, the second with `found` in the column `name`."""
    row = {field.name: value(field.type) for field in table.schema}
    if table.reasons:
        row |= {"status": manifest.ACCEPTED, "reason": manifest.OK}
    rows = [row | {table.key: key} for key in ("0", "1")]
    rows[1] |= {name: found}
    path = table.path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pa.Table.from_pylist(rows, schema=table.schema)
    notes = {b"curate.version": str(table.version).encode()}
    pq.write_table(data.replace_schema_metadata(notes), path)


@pytest.mark.parametrize(("table", "name", "values"), COLUMNS, ids=[f"{c[0].name}.{c[1]}" for c in COLUMNS])
def test_what_leads_out_is_refused_with_its_row_and_column(
    table: Table, name: str, values: tuple[str, ...], tmp_path: Path
) -> None:
    plant(table, tmp_path, name, "7")
    assert manifest.read(table, tmp_path).num_rows == manifest.read(table, tmp_path, [name]).num_rows == 2
    for found in values:
        plant(table, tmp_path, name, found)
        for columns in (None, [name]):
            with pytest.raises(TableError, match=f"row 2, {name}: ") as told:
                manifest.read(table, tmp_path, columns)
            assert str(table.path(tmp_path)) in told.value.message
            assert told.value.message.isprintable()
            assert table.made_by.split()[-1] in told.value.hint


def test_every_column_that_looks_like_a_path_or_an_id_is_guarded() -> None:
    for table in EVERY:
        names = set(table.schema.names)
        assert {name for name in names if name.endswith("path")} == set(table.paths)
        ids = {name for name in names if name.endswith(("_id", "duplicate_of"))}
        assert ids - set(table.ids) == {name for place, name in FREE if place == table.name}
        assert set(table.ids) <= names


def test_half_a_character_in_a_path_is_refused(tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "path", "7")
    data = pq.read_table(SUSPECTS.path(tmp_path))
    broken = pa.array([b"a", b"\xff\n/x"]).view(pa.string())
    pq.write_table(data.set_column(1, SUSPECTS.schema.field("path"), broken), SUSPECTS.path(tmp_path))
    with pytest.raises(TableError, match="path"):
        manifest.read(SUSPECTS, tmp_path)


def test_columns_of_other_types_are_refused_where_they_are_read_alone(tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "path", "7")
    data = pq.read_table(SUSPECTS.path(tmp_path))
    pq.write_table(data.set_column(1, "path", pa.array([None, [1]])), SUSPECTS.path(tmp_path))
    with pytest.raises(TableError, match=r"suspects\.parquet"):
        manifest.read(SUSPECTS, tmp_path, ["path"])


@pytest.mark.parametrize("table", [TABLES["crops"], TABLES["dataset"]], ids=["crops", "dataset"])
@pytest.mark.parametrize("count", [0, 3, 135, 137])
def test_a_face_of_another_number_of_points_is_refused_with_its_row(table: Table, count: int, tmp_path: Path) -> None:
    plant(table, tmp_path, "landmarks", None)
    assert manifest.read(table, tmp_path)["landmarks"].null_count == 1
    plant(table, tmp_path, "landmarks", [1.0] * count)
    for columns in (None, ["landmarks"]):
        with pytest.raises(TableError, match="row 2, landmarks: not 136 numbers"):
            manifest.read(table, tmp_path, columns)
