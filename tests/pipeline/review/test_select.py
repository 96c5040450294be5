"""The best of each domain: shared evenly, sharpest, least alike, deterministic, and undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.review import select
from curate.pipeline.review.config import Select
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.arrow import replace_column
from curate.pipeline.tables.decisions import Decision
from tests.pipeline.faces.test_pose import turned
from tests.support.tables import crop_row, dedup_row, image_row, png


def world(root: Path, yaws: dict[str, list[float]], **columns: Any) -> None:
    """Crops of each domain with the yaws given, NaN for no landmarks; the later, the sharper."""
    images, crops, dedup = [], [], []
    for domain, angles in yaws.items():
        for i, yaw in enumerate(angles):
            image = image_row(root, png(i, 48, 48), domain, i)
            points = None if np.isnan(yaw) else turned(yaw, 0)[0].ravel().tolist()
            more = {"landmarks": points, "face_sharpness": float(i), **columns}
            crops.append(crop_row(root, image, **more))
            images.append(image)
            dedup.append(dedup_row(crops[-1]))
    for table, rows in ((manifest.IMAGES, images), (manifest.CROPS, crops), (manifest.DEDUP, dedup)):
        manifest.write(table, manifest.from_rows(table, rows), root)


def trains(root: Path, domain: str) -> dict[str, float]:
    """Sharpness by crop of what the decisions leave of a domain."""
    build.run(Build(), root)
    left = set(manifest.accepted(manifest.read(manifest.DATASET, root))["crop_id"].to_pylist())
    rows = manifest.read(manifest.CROPS, root).to_pylist()
    return {r["crop_id"]: r["face_sharpness"] for r in rows if r["domain"] == domain and r["crop_id"] in left}


@given(st.integers(0, 60), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8))
def test_shares_are_even_and_what_one_bin_lacks_goes_to_others(total: int, bins: list[tuple[int, int]]) -> None:
    counts = np.array([count for count, _ in bins], np.int64)
    least = np.array([min(pair) for pair in bins], np.int64)
    quotas = select.shared(total, counts, least)
    assert ((least <= quotas) & (quotas <= counts)).all()
    assert quotas.sum() == min(max(total, least.sum()), counts.sum())
    free = (quotas > least) & (quotas < counts)
    if free.any():
        level = quotas[free].min()
        assert quotas[free].max() <= level + 1
        assert (quotas[(quotas < counts)] >= level - 1).all()  # none was passed over
    hungry = quotas < counts
    if hungry.any():
        assert (quotas[(quotas > least)] <= quotas[hungry].min() + 1).all()  # none has two more than one that wants


def test_bins_share_evenly_and_a_poor_one_passes_its_share_on(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 20 + [30.0] * 8 + [-30.0] * 2})
    (choice,) = select.run(Select(keep=15), tmp_path)
    assert {b.yaw: (b.candidates, b.chosen) for b in choice.bins} == {
        "..-20": (2, 2),
        "-7..7": (20, 7),
        "20..": (8, 6),
    }
    assert len(trains(tmp_path, "a")) == 15


def test_the_sharpest_are_taken_where_the_pool_is_no_larger(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 12})
    select.run(Select(keep=4, pool=1.0), tmp_path)
    assert sorted(trains(tmp_path, "a").values()) == [8, 9, 10, 11]


def test_of_a_pool_the_least_alike_are_taken(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 8})
    rows = manifest.read(manifest.DEDUP, tmp_path).to_pylist()
    sharpness = {r["crop_id"]: r["face_sharpness"] for r in manifest.read(manifest.CROPS, tmp_path).to_pylist()}
    far = {0: 2**64 - 1, 4: 0xFFFFFFFF}  # the others differ in two bits at most
    for row in rows:
        number = int(sharpness[row["crop_id"]])
        row["phash"] = far.get(number, 1 << number)
    manifest.write(manifest.DEDUP, manifest.from_rows(manifest.DEDUP, rows), tmp_path)
    select.run(Select(keep=3, pool=8 / 3), tmp_path)
    assert {0.0, 4.0} < set(trains(tmp_path, "a").values())
    select.run(Select(keep=3, pool=5 / 3), tmp_path)  # the five sharpest are 3 to 7
    found = set(trains(tmp_path, "a").values())
    assert 4.0 in found
    assert 0.0 not in found


def test_crops_without_landmarks_have_a_bin_of_their_own(tmp_path: Path) -> None:
    world(tmp_path, {"drawn": [float("nan")] * 6})
    (choice,) = select.run(Select(keep=2), tmp_path)
    assert [(b.yaw, b.candidates, b.chosen) for b in choice.bins] == [("none", 6, 2)]


def test_the_same_tables_leave_the_same_file(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0, 10.0, -10.0] * 6, "b": [0.0] * 5})
    select.run(Select(keep=5), tmp_path)
    first = (tmp_path / decisions.FILE).read_bytes()
    assert first.count(b"\n") == 13
    select.run(Select(keep=5), tmp_path)
    assert (tmp_path / decisions.FILE).read_bytes() == first


def test_a_person_outranks_select(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 10})
    by_sharpness = {v: k for k, v in trains(tmp_path, "a").items()}
    blurry, sharp = by_sharpness[0.0], by_sharpness[9.0]
    decisions.append(
        tmp_path,
        [Decision(item=blurry, decision="keep", by="ann"), Decision(item=sharp, decision="reject", by="ann")],
    )
    (choice,) = select.run(Select(keep=3, pool=1.0), tmp_path)
    assert (choice.candidates, choice.chosen) == (9, 3)
    assert sorted(trains(tmp_path, "a").values()) == [0, 7, 8]


def test_one_domain_at_a_time_and_undone_one_at_a_time(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 6, "b": [0.0] * 6})
    person = Decision(item=next(iter(trains(tmp_path, "a"))), decision="reject", by="ann")
    decisions.append(tmp_path, [person])
    select.run(Select(keep=2), tmp_path, domains=["a"])
    assert (len(trains(tmp_path, "a")), len(trains(tmp_path, "b"))) == (2, 6)
    select.run(Select(keep=3), tmp_path, domains=["b"])
    assert (len(trains(tmp_path, "a")), len(trains(tmp_path, "b"))) == (2, 3)
    assert select.undo(tmp_path, ["a"]) == 3
    assert (len(trains(tmp_path, "a")), len(trains(tmp_path, "b"))) == (5, 3)
    assert select.undo(tmp_path) == 3
    assert (len(trains(tmp_path, "a")), len(trains(tmp_path, "b"))) == (5, 6)
    assert decisions.read(tmp_path).decision(person.item) == person


def test_fewer_than_asked_are_all_kept(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 3})
    (choice,) = select.run(Select(), tmp_path)
    assert (choice.chosen, len(trains(tmp_path, "a"))) == (3, 3)


def test_hashes_of_other_crops_are_refused(tmp_path: Path) -> None:
    world(tmp_path, {"a": [0.0] * 3})
    rows = manifest.read(manifest.DEDUP, tmp_path).slice(1)
    manifest.write(manifest.DEDUP, rows, tmp_path)
    with pytest.raises(TableError, match="other crops"):
        select.run(Select(), tmp_path)


def test_edges_must_rise_and_domains_must_be_there(tmp_path: Path) -> None:
    world(tmp_path, {"long": [0.0]})
    with pytest.raises(UsageError, match=r"select\.yaw"):
        select.run(Select(yaw=(5.0, -5.0)), tmp_path)
    with pytest.raises(UsageError, match="did you mean 'long'"):
        select.run(Select(), tmp_path, domains=["lng"])
    with pytest.raises(UsageError, match="did you mean 'long'"):
        select.undo(tmp_path, ["lng"])


def test_only_takes_only_what_lies_in_its_ranges_and_a_range_may_go_round(tmp_path: Path) -> None:
    world(tmp_path, {"anime": [np.nan] * 6})
    table = manifest.read(manifest.CROPS, tmp_path)
    colours = ["#ff0000", "#ff2000", "#ff0020", "#0000ff", "#808080", None]
    by_rank = np.argsort(np.argsort(table["face_sharpness"].to_numpy()))
    column = pa.array([colours[rank] for rank in by_rank], pa.string())
    manifest.write(manifest.CROPS, replace_column(table, "hair_colour", column), tmp_path)

    def kept(**only: tuple[float, float]) -> set[float]:
        select.run(Select(only=only), tmp_path)
        return set(trains(tmp_path, "anime").values())

    assert kept(hair_hue=(230, 250)) == {3}
    assert kept(hair_hue=(340, 20)) == {0, 1, 2}
    assert kept(hair_hue=(340, 20), face_sharpness=(1, 5)) == {1, 2}
    with pytest.raises(UsageError, match="alike"):
        kept(alike=(0, 1))
    with pytest.raises(UsageError, match="did you mean 'hair_hue'"):
        kept(hair_hu=(0, 1))
