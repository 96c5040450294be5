"""Tables of strangers: no path and no id of any column leads anywhere, what is of a closed list or alphabet is of it,
and numbers can be counted with: whether all columns are read or that one.
"""

from __future__ import annotations

import math
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
ELSEWHERE = "params.yaml", "manifests/crops.parquet", "raw/x/y.png", "{0}", "{0}/", "{0}x/y/z.png", "{0}/.x/y.png"
ELSEWHERE_TOO = "{0}/x/.y.png", "x/{0}/y/z.png", "{0}/journal.jsonl", "{0}/x/y.tar", "X{0}/y/z.png"
DOMAINS = "", " ", "a\x1b[2J", "a\nb", "a\0", "a\u202eb", "a\u200bb", "x" * 251
IDS = "../x", "/tmp/x", "..", "a/b", "a\\b", "a.b", "a b", "a\n", "a\0", "-a", "_a", "長", "", "x" * 129, "a\x1b[2J"


def paths(folder: str) -> tuple[str, ...]:
    """What names no picture below `folder`."""
    return *PATHS_AND_SHARDS, *(text.format(folder) for text in (*ELSEWHERE, *ELSEWHERE_TOO))


COLUMNS = [
    *((table, name, paths(table.paths[name])) for table in EVERY for name in table.paths),
    *((table, name, DOMAINS) for table in EVERY for name in ("domain", "voted") if name in table.schema.names),
    *((table, "split", ("", "Train", "all", "train ")) for table in EVERY if "split" in table.schema.names),
    *((table, name, ("", "OK", "a\n")) for table in EVERY for name in ("status", "reason") if table.reasons),
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
    if pa.types.is_binary(kind):
        return bytes(192)  # as grids of colours are
    return "a" if pa.types.is_string(kind) else 1


def good(table: Table, name: str) -> Any:
    """What `table` may have in that column."""
    closed = {"domain": "長い 髪", "voted": "=x", "split": "val", "status": manifest.ACCEPTED, "reason": manifest.OK}
    known = closed | {path: f"{folder}/長/7.png" for path, folder in table.paths.items()}
    return known[name] if name in known else value(table.schema.field(name).type)


def plant(table: Table, root: Path, name: str, found: Any) -> None:
    """A file of `table` as a stranger would make it: two rows, the second with `found` in the column `name`."""
    row = {name: good(table, name) for name in table.schema.names}
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
    plant(table, tmp_path, name, "7" if name in table.ids else good(table, name))
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


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "x", 0.5)
    data = pq.read_table(SUSPECTS.path(tmp_path))
    broken = pa.array([b"a", b"\xff\n/x"]).view(pa.string())
    for name in ("path", "domain", "voted"):
        at = data.schema.get_field_index(name)
        pq.write_table(data.set_column(at, SUSPECTS.schema.field(name), broken), SUSPECTS.path(tmp_path))
        for columns in (None, [name]):
            with pytest.raises(TableError, match="UTF8"):
                manifest.read(SUSPECTS, tmp_path, columns)


def test_columns_of_other_types_are_refused_where_they_are_read_alone(tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "x", 0.5)
    data = pq.read_table(SUSPECTS.path(tmp_path))
    pq.write_table(data.set_column(1, "path", pa.array([None, [1]])), SUSPECTS.path(tmp_path))
    with pytest.raises(TableError, match=r"suspects\.parquet"):
        manifest.read(SUSPECTS, tmp_path, ["path"])


@pytest.mark.parametrize(("ids", "said"), [(["b", "a"], "not sorted"), (["a", "a"], "unique")])
def test_keys_are_checked_where_they_are_read_with_some_columns(ids: list[str], said: str, tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "x", 0.5)
    data = pq.read_table(SUSPECTS.path(tmp_path))
    pq.write_table(data.set_column(0, "crop_id", pa.array(ids, pa.string())), SUSPECTS.path(tmp_path))
    with pytest.raises(TableError, match=rf"suspects\.parquet: crop_id: .*{said}") as told:
        manifest.read(SUSPECTS, tmp_path, ["crop_id", "domain"])
    assert "make it again" in told.value.hint


@pytest.mark.parametrize("table", [TABLES["crops"], TABLES["dataset"]], ids=["crops", "dataset"])
@pytest.mark.parametrize("count", [0, 3, 135, 137])
def test_a_face_of_another_number_of_points_is_refused_with_its_row(table: Table, count: int, tmp_path: Path) -> None:
    plant(table, tmp_path, "landmarks", None)
    assert manifest.read(table, tmp_path)["landmarks"].null_count == 1
    plant(table, tmp_path, "landmarks", [1.0] * count)
    for columns in (None, ["landmarks"]):
        with pytest.raises(TableError, match="row 2, landmarks: not 136 numbers"):
            manifest.read(table, tmp_path, columns)


@pytest.mark.parametrize("name", ["article_colours", "human_colours"])
def test_a_grid_of_another_size_is_refused_with_its_row(name: str, tmp_path: Path) -> None:
    plant(TABLES["pairs"], tmp_path, name, None)
    assert manifest.read(TABLES["pairs"], tmp_path)[name].null_count == 1
    plant(TABLES["pairs"], tmp_path, name, bytes(193))
    for columns in (None, [name]):
        with pytest.raises(TableError, match=f"row 2, {name}: not 192 bytes"):
            manifest.read(TABLES["pairs"], tmp_path, columns)


NUMBERS = {
    "float": (math.nan, math.inf, -math.inf, 2e9, -2e9),
    "double": (math.nan, math.inf, -math.inf, 1e300),
    "int32": (-1, -(2**31)),
    "int64": (-1, 2**53 + 1),
    "timestamp[us, tz=UTC]": (-(2**63) + 1, 2**63 - 1),
}


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_a_number_that_no_stage_measures_is_refused_with_its_row(table: Table, tmp_path: Path) -> None:
    for field in table.schema:
        kind = field.type
        is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
        for number in NUMBERS.get(str(kind.value_type if is_list else kind), ()):
            if (field.name, number) == ("face_index", -1):
                continue
            found = [*value(kind)[1:], number] if is_list else number
            plant(table, tmp_path, field.name, found)
            for columns in (None, [field.name]):
                with pytest.raises(TableError, match=rf"row 2, {field.name}: .*: no (number from|time of)"):
                    manifest.read(table, tmp_path, columns)


@pytest.mark.parametrize("name", ["width", "height"])
def test_a_picture_of_no_size_is_refused(name: str, tmp_path: Path) -> None:
    plant(TABLES["images"], tmp_path, name, 0)
    with pytest.raises(TableError, match=f"row 2, {name}: 0: no number from 1"):
        manifest.read(TABLES["images"], tmp_path, [name])


@pytest.mark.parametrize(
    ("table", "name"), [("images", "image_id"), ("crops", "path"), ("pairs", "human_path"), ("pairs", "human_image_id")]
)
def test_an_accepted_row_without_its_picture_is_refused(table: str, name: str, tmp_path: Path) -> None:
    plant(TABLES[table], tmp_path, name, None)
    for columns in (None, [name, "status"]):
        with pytest.raises(TableError, match=f"row 2, {name}: empty, and the row is accepted"):
            manifest.read(TABLES[table], tmp_path, columns)


def test_a_column_that_is_missing_twice_there_or_one_more_is_one_short_line(tmp_path: Path) -> None:
    plant(SUSPECTS, tmp_path, "x", 0.5)
    data = pq.read_table(SUSPECTS.path(tmp_path))
    damaged = {
        "column voted: missing": data.drop_columns(["voted"]),
        "broken: Multiple matches": data.append_column("voted", data["voted"]),
        r"column '\\x1b': none of its": data.append_column("\x1b", data["voted"]),
    }
    for said, table in damaged.items():
        pq.write_table(table, SUSPECTS.path(tmp_path))
        with pytest.raises(TableError, match=said) as told:
            manifest.read(SUSPECTS, tmp_path)
        assert len(told.value.message) < len(str(tmp_path)) + 200
