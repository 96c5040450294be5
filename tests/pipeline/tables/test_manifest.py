"""Tables: equal content gives equal bytes, and nothing invalid is written or read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.pipeline.core.errors import CurateError, TableError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import manifest
from tests.support.tables import dedup_row, image_row, png

DEDUP = manifest.DEDUP


def row(key: str, **columns: Any) -> dict[str, Any]:
    return dedup_row({"crop_id": key.ljust(16, "0"), "domain": "a"}, **columns)


def table(*rows: dict[str, Any]) -> pa.Table:
    return manifest.from_rows(DEDUP, rows)


REFUSED = {"status": manifest.REJECTED, "reason": "duplicate"}


def test_rows_come_back_sorted_by_key(tmp_path: Path) -> None:
    manifest.write(DEDUP, table(row("b"), row("a", **REFUSED)), tmp_path, meta={"section": {"radius": 8}})
    data = manifest.read(DEDUP, tmp_path)
    assert [key[0] for key in data["crop_id"].to_pylist()] == ["a", "b"]
    assert data.schema.equals(DEDUP.schema)
    assert manifest.accepted(data).num_rows == 1
    assert manifest.meta(DEDUP, tmp_path) == {"section": {"radius": 8}}


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    rows = [row("a"), row("b", **REFUSED), row("c")]
    first = manifest.write(DEDUP, table(*rows), tmp_path / "1", meta={"a": 1, "b": 2}).read_bytes()
    chunks = pa.concat_tables([table(rows[2]), table(*rows[:2])])
    assert manifest.write(DEDUP, chunks, tmp_path / "2", meta={"b": 2, "a": 1}).read_bytes() == first


def test_whole_numbers_of_64_bits_survive(tmp_path: Path) -> None:
    manifest.write(DEDUP, table(row("a", phash=2**64 - 1)), tmp_path)
    assert manifest.read(DEDUP, tmp_path)["phash"].to_pylist() == [2**64 - 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("a"), row("a")], "not unique"),
        ([row("a", cluster_id=None)], "cluster_id"),
        ([row("a", status="rejected", reason="ugly")], "'ugly': not in the list"),
        ([row("a", status="rejected")], "rejected with another"),
        ([row("a", reason="duplicate")], "accepted with the reason ok"),
        ([row("a", status="maybe", reason="duplicate")], "status"),
    ],
)
def test_what_breaks_the_rules_is_not_written(rows: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=words):
        manifest.write(DEDUP, table(*rows), tmp_path)
    assert not manifest.exists(DEDUP, tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("path", ["/etc/passwd", "raw/../../x", "..", "raw\\x", "C:/x", ""])
def test_paths_stay_below_the_root(path: str, tmp_path: Path) -> None:
    data = manifest.from_rows(manifest.IMAGES, [image_row(tmp_path, png(1), "a", 0, path=path)])
    with pytest.raises(TableError, match=r"row 1, path: .*no relative posix path"):
        manifest.write(manifest.IMAGES, data, tmp_path)


@pytest.mark.parametrize("path", ["raw/images/ab/c..d.jpg", "raw/images/長い髪/x.png"])
def test_plain_paths_are_fine(path: str, tmp_path: Path) -> None:
    data = manifest.from_rows(manifest.IMAGES, [image_row(tmp_path, png(1), "a", 0, path=path)])
    manifest.write(manifest.IMAGES, data, tmp_path)


@pytest.mark.parametrize("columns", [{"phash": "text"}, {"phash": -1}, {"phash": 2**70}, {"stray": 1}])
def test_rows_that_do_not_fit_the_schema(columns: dict[str, Any]) -> None:
    with pytest.raises(TableError):
        manifest.from_rows(DEDUP, [{**row("a"), **columns}])


def test_a_table_of_other_columns_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="dedup"):
        manifest.write(DEDUP, pa.table({"crop_id": ["a"]}), tmp_path)


def test_a_missing_table_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="not there yet") as told:
        manifest.read(DEDUP, tmp_path)
    assert told.value.hint == "make it: curate scrape --query TEXT && curate crop && curate dedup"
    assert told.value.code == 2


@pytest.mark.parametrize("content", [b"", b"hello", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_broken_file_says_so(content: bytes, tmp_path: Path) -> None:
    path = DEDUP.path(tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"dedup\.parquet") as told:
        manifest.read(DEDUP, tmp_path)
    assert "curate dedup" in told.value.hint


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    path = manifest.write(DEDUP, table(*(row(f"{i:04}") for i in range(500))), tmp_path)
    data = bytearray(path.read_bytes())
    data[100:400] = bytes(300)
    path.write_bytes(data)
    with pytest.raises(TableError, match="broken"):
        manifest.read(DEDUP, tmp_path)


@pytest.mark.parametrize("version", [b"0", str(DEDUP.version + 1).encode(), b"new", None])
def test_another_schema_version_is_refused(version: bytes | None, tmp_path: Path) -> None:
    path = manifest.write(DEDUP, table(row("a")), tmp_path)
    notes = {b"curate.version": version} if version else {}
    pq.write_table(pq.read_table(path).replace_schema_metadata(notes), path)
    with pytest.raises(TableError, match="schema version") as told:
        manifest.read(DEDUP, tmp_path)
    assert "curate dedup" in told.value.hint


def test_a_foreign_table_under_our_version_is_checked_too(tmp_path: Path) -> None:
    path = DEDUP.path(tmp_path)
    path.parent.mkdir()
    bad = table(row("b"), row("a")).replace_schema_metadata({b"curate.version": str(DEDUP.version).encode()})
    pq.write_table(bad, path)
    with pytest.raises(TableError, match="not sorted"):
        manifest.read(DEDUP, tmp_path)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x" / "file"
    with atomic_write(path) as temporary:
        temporary.write_text("old", "utf-8")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half", "utf-8")
        raise KeyboardInterrupt
    assert path.read_text("utf-8") == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_disk_that_refuses_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "manifests").write_text("a file where a folder should be", "utf-8")
    with pytest.raises(CurateError, match="cannot write") as told:
        manifest.write(DEDUP, table(row("a")), tmp_path)
    assert told.value.hint


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="No space left"), atomic_write(tmp_path / "file") as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        with temporary.open("wb") as file:
            file.write(bytes(100_000))
    assert not list(tmp_path.iterdir())


def test_columns_may_be_read_alone(tmp_path: Path) -> None:
    manifest.write(DEDUP, table(row("a")), tmp_path)
    assert manifest.read(DEDUP, tmp_path, ["domain"]).schema.names == ["domain"]


def test_a_summary_counts_reasons_most_frequent_first() -> None:
    data = manifest.from_rows(
        manifest.IMAGES,
        [
            {**image, "status": "rejected", "reason": reason}
            for image, reason in zip((BARE | {"candidate_id": str(i)} for i in range(5)), REASONS, strict=True)
        ],
    )
    summary = manifest.summarize(manifest.IMAGES, data)
    assert (summary.rows, summary.accepted) == (5, 0)
    assert list(summary.reasons.items()) == [("network", 3), ("bomb", 1), ("quota", 1)]


REASONS = ["network", "quota", "network", "bomb", "network"]
BARE = {"domain": "a", "source": "html", "license": "cc0", "rank": 0}


@pytest.mark.parametrize("table_", manifest.TABLES.values(), ids=lambda t: t.name)
def test_every_table_can_be_empty(table_: manifest.Table, tmp_path: Path) -> None:
    manifest.write(table_, manifest.empty(table_), tmp_path)
    assert manifest.read(table_, tmp_path).num_rows == 0
    assert manifest.summarize(table_, manifest.empty(table_)).rows == 0


@pytest.mark.parametrize("table_", manifest.TABLES.values(), ids=lambda t: t.name)
def test_every_table_declares_itself_soundly(table_: manifest.Table) -> None:
    names = table_.schema.names
    assert table_.key in names
    assert set(table_.paths) <= set(names)
    assert not table_.schema.field(table_.key).nullable
    assert bool(table_.reasons) == ("reason" in names)


def test_of_a_table_all_is_checked_or_chosen_columns_are(tmp_path: Path) -> None:
    path = manifest.write(DEDUP, table(row("a"), row("b")), tmp_path)
    data = pq.read_table(path)
    broken = data.take(pa.array([1, 0]))  # not sorted
    pq.write_table(broken.replace_schema_metadata(data.schema.metadata), path)
    for columns in (None, ["reason", "crop_id"]):
        with pytest.raises(TableError, match="not sorted"):
            manifest.read(DEDUP, tmp_path, columns)
    assert manifest.read(DEDUP, tmp_path, ["reason", "domain"]).schema.names == ["reason", "domain"]
    with pytest.raises(TableError, match="nowhere"):
        manifest.read(DEDUP, tmp_path, ["nowhere"])
