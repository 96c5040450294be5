"""Build: the right rows, landmarks in crop pixels, splits that stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.decisions import Decision
from tests.support.tables import crop_row, dedup_row, image_row, png, small_world


class Notes:
    """A progress that remembers what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)

    def task(self, name: str, total: int | None) -> Any:
        raise AssertionError("build is quick: no bar")


def write(root: Path, images: list[dict[str, Any]], crops: list[dict[str, Any]], dedup: list[dict[str, Any]]) -> None:
    for table, rows in ((manifest.IMAGES, images), (manifest.CROPS, crops), (manifest.DEDUP, dedup)):
        manifest.write(table, manifest.from_rows(table, rows), root)


def splits(root: Path) -> dict[str, str]:
    table = manifest.read(manifest.DATASET, root)
    return dict(zip(table["crop_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def test_kept_crops_train_and_nothing_else_does(tmp_path: Path) -> None:
    small_world(tmp_path)
    summary = build.run(Build(), tmp_path)
    kept = manifest.accepted(manifest.read(manifest.DEDUP, tmp_path))["crop_id"].to_pylist()
    data = manifest.read(manifest.DATASET, tmp_path)
    assert data["crop_id"].to_pylist() == kept
    assert summary.rows == summary.accepted == len(kept) == 18
    assert all((tmp_path / path).is_file() for path in data["path"].to_pylist())


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    first = manifest.DATASET.path(tmp_path).read_bytes()
    build.run(Build(), tmp_path)
    assert manifest.DATASET.path(tmp_path).read_bytes() == first


def test_landmarks_go_through_the_affine() -> None:
    landmarks = pa.chunked_array([[[1.0, 2.0] * 68, None], [[3.0, 4.0] * 68]], pa.list_(pa.float32()))
    affine = pa.chunked_array(
        [[[2.0, 0.0, 10.0, 0.0, 3.0, -1.0]] * 2, [[0.0, -1.0, 5.0, 1.0, 0.0, 0.0]]], pa.list_(pa.float64(), 6)
    )
    moved = build.into_crop(landmarks, affine).to_pylist()
    assert moved[0] == [12.0, 5.0] * 68
    assert moved[1] is None
    assert moved[2] == [1.0, 3.0] * 68  # a quarter turn


def test_a_crop_without_landmarks_keeps_its_place(tmp_path: Path) -> None:
    images = [image_row(tmp_path, png(i), "anime", i) for i in range(2)]
    crops = [crop_row(tmp_path, images[0], landmarks=None), crop_row(tmp_path, images[1])]
    write(tmp_path, images, crops, [dedup_row(crop) for crop in crops])
    build.run(Build(), tmp_path)
    rows = {row["crop_id"]: row["landmarks"] for row in manifest.read(manifest.DATASET, tmp_path).to_pylist()}
    assert rows[crops[0]["crop_id"]] is None
    assert rows[crops[1]["crop_id"]][:4] == [-16.0, -15.0, -14.0, -13.0]


def test_rows_keep_their_split_as_the_data_grow(tmp_path: Path) -> None:
    section = Build(val=0.3, test=0.3)
    small_world(tmp_path, portraits=8)
    build.run(section, tmp_path)
    before = splits(tmp_path)
    small_world(tmp_path, portraits=20)
    build.run(section, tmp_path)
    after = splits(tmp_path)
    assert set(before.values()) == {"train", "val", "test"}
    same = before.keys() & after.keys()
    assert len(same) > 8
    assert {key: before[key] for key in same} == {key: after[key] for key in same}


def test_a_better_copy_inherits_the_split_of_what_was_there_first(tmp_path: Path) -> None:
    """Otherwise a picture that a model was judged by could train the next one."""
    section = Build(val=0.0, test=0.5)
    images = [image_row(tmp_path, png(i), "a", i) for i in range(24)]
    crops = [crop_row(tmp_path, image) for image in images]
    write(tmp_path, images[:12], crops[:12], [dedup_row(crop) for crop in crops[:12]])
    build.run(section, tmp_path)
    before = splits(tmp_path)
    dedup = []
    for old, new in zip(crops[:12], crops[12:], strict=True):  # each later picture is the better copy of an earlier
        lost = {"cluster_id": new["crop_id"], "duplicate_of": new["crop_id"]}
        dedup.append(dedup_row(old, **lost, status=manifest.REJECTED, reason="duplicate"))
        dedup.append(dedup_row(new))
    write(tmp_path, images, crops, dedup)
    build.run(section, tmp_path)
    after = splits(tmp_path)
    assert {before[old["crop_id"]] for old in crops[:12]} == {"train", "test"}
    for old, new in zip(crops[:12], crops[12:], strict=True):
        assert after[new["crop_id"]] == before[old["crop_id"]]


def test_a_domain_too_small_for_its_shares_is_told(tmp_path: Path) -> None:
    image = image_row(tmp_path, png(1), "lonely", 0)
    crop = crop_row(tmp_path, image)
    write(tmp_path, [image], [crop], [dedup_row(crop)])
    notes = Notes()
    build.run(Build(val=0.0, test=1e-6), tmp_path, progress=notes)
    assert notes.lines == ["lonely: none of its 1 rows is in test: too few for a share of 1e-06"]


def test_tables_that_are_not_of_one_piece_are_refused(tmp_path: Path) -> None:
    image = image_row(tmp_path, png(1), "a", 0)
    crop = crop_row(tmp_path, image)
    write(tmp_path, [image], [crop], [])
    with pytest.raises(TableError, match="other crops") as told:
        build.run(Build(), tmp_path)
    assert "curate dedup" in told.value.hint


def test_shares_above_one_are_refused(tmp_path: Path) -> None:
    small_world(tmp_path)
    with pytest.raises(UsageError, match=r"build\.val"):
        build.run(Build(val=0.7, test=0.7), tmp_path)


def test_nothing_kept_makes_an_empty_table(tmp_path: Path) -> None:
    write(tmp_path, [], [], [])
    assert build.run(Build(), tmp_path).rows == 0
    assert manifest.read(manifest.DATASET, tmp_path).num_rows == 0


def test_what_a_decision_rejects_keeps_its_row_and_its_split_and_does_not_train(tmp_path: Path) -> None:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    before = splits(tmp_path)
    crops = {row["crop_id"]: row["image_id"] for row in manifest.read(manifest.CROPS, tmp_path).to_pylist()}
    by_crop, by_image, by_select, kept = list(before)[:4]
    rejected = {"decision": "reject", "when": decisions.now()}
    decisions.append(
        tmp_path,
        [
            Decision(item=by_crop, by="ann", **rejected),
            Decision(item=crops[by_image], by="ann", **rejected),
            Decision(item=by_select, by="select", **rejected),
            Decision(item=kept, by="ann", decision="keep"),
            Decision(item=kept, by="select", **rejected),
        ],
    )
    summary = build.run(Build(), tmp_path)
    assert (summary.rows, summary.accepted, summary.reasons) == (18, 15, {"review": 2, "select": 1})
    assert splits(tmp_path) == before
    reasons = {row["crop_id"]: row["reason"] for row in manifest.read(manifest.DATASET, tmp_path).to_pylist()}
    assert [reasons[c] for c in (by_crop, by_image, by_select, kept)] == ["review", "review", "select", "ok"]


def test_a_line_that_decides_nothing_is_told_by_its_number(tmp_path: Path) -> None:
    small_world(tmp_path)
    good = b'{"item": "x", "decision": "reject", "by": "ann"}'
    (tmp_path / decisions.FILE).write_bytes(good + b"\n<<<<<<< HEAD\n")
    notes = Notes()
    build.run(Build(val=0.0, test=0.0), tmp_path, progress=notes)
    assert [line.split(": ")[0] for line in notes.lines] == [f"{tmp_path / decisions.FILE}:2"]
