"""Tables know what they were made from, and which commands bring them up to date, in order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.tables import decisions, manifest, provenance
from tests.support.tables import small_world


def written(root: Path, table: manifest.Table, data: pa.Table, **changed: object) -> None:
    """`table` as its stage would have written it now."""
    meta = {"section": changed, provenance.INPUTS: provenance.inputs(table, root)}
    manifest.write(table, data, root, meta)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Tables of faces that all are up to date."""
    small_world(tmp_path)
    manifest.PAIRS.path(tmp_path).unlink(missing_ok=True)
    for table in (manifest.CROPS, manifest.DEDUP):
        written(tmp_path, table, manifest.read(table, tmp_path))
    build.run(Build(), tmp_path)
    assert provenance.freshness(tmp_path).text() == ""
    return tmp_path


def fewer(root: Path, table: manifest.Table) -> pa.Table:
    return manifest.read(table, root).slice(1)


def test_a_changed_table_makes_all_after_it_stale_in_order(world: Path) -> None:
    written(world, manifest.CROPS, fewer(world, manifest.CROPS))
    assert provenance.freshness(world).text() == "dedup and dataset are older than crops: curate dedup && curate build"
    manifest.write(manifest.IMAGES, fewer(world, manifest.IMAGES), world)
    assert (
        provenance.freshness(world).text().startswith("crops, dedup and dataset are older than images: curate crop &&")
    )


def test_each_command_that_is_run_leaves_the_line(world: Path) -> None:
    data = manifest.read(manifest.CROPS, world)
    places = pc.index_in(pa.array([True]), value_set=pc.equal(data["status"], "accepted").combine_chunks())
    gone = data["crop_id"][places[0].as_py()]
    written(world, manifest.CROPS, data.filter(pc.not_equal(data["crop_id"], gone)))
    dedup.run(Dedup(), world)
    assert provenance.freshness(world).text() == "dataset is older than crops and dedup: curate build"
    build.run(Build(), world)
    assert provenance.freshness(world).text() == ""


def test_the_same_rows_make_nothing_stale(world: Path) -> None:
    """With other settings, too: what counts is what a table says, not how it came about."""
    written(world, manifest.CROPS, manifest.read(manifest.CROPS, world), size=512)
    manifest.write(manifest.IMAGES, manifest.read(manifest.IMAGES, world), world, {"section": {"want": 3}})
    assert provenance.freshness(world).text() == ""


def test_a_decision_makes_the_dataset_stale(world: Path) -> None:
    (world / decisions.FILE).write_text('{"item": "x", "decision": "reject"}\n')
    assert provenance.freshness(world).text() == "dataset is older than manifests/review.jsonl: curate build"
    build.run(Build(), world)
    assert provenance.freshness(world).text() == ""


def test_an_empty_file_of_decisions_is_none(world: Path) -> None:
    (world / decisions.FILE).write_text("")
    assert provenance.freshness(world).text() == ""


def test_a_table_that_is_gone_is_made_first(world: Path) -> None:
    manifest.DEDUP.path(world).unlink()
    assert provenance.freshness(world).commands == ("curate dedup", "curate build")


def test_what_records_no_inputs_counts_as_up_to_date(world: Path) -> None:
    manifest.write(manifest.DEDUP, manifest.read(manifest.DEDUP, world), world)
    manifest.write(manifest.CROPS, fewer(world, manifest.CROPS), world)
    assert [one.table for one in provenance.freshness(world).stale] == ["dataset"]


def test_only_the_tables_that_are_asked_for_count(world: Path) -> None:
    written(world, manifest.CROPS, fewer(world, manifest.CROPS))
    assert provenance.freshness(world, [manifest.PAIRS]).text() == ""
    assert provenance.freshness(world, [manifest.DEDUP]).commands == ("curate dedup",)


def test_what_is_broken_is_made_again_with_all_that_follows(world: Path) -> None:
    manifest.CROPS.path(world).write_bytes(b"PAR1 no more")
    with pytest.raises(TableError) as told:
        manifest.read(manifest.CROPS, world)
    assert told.value.hint == "make it again: curate crop && curate dedup && curate build"
    manifest.DATASET.path(world).write_bytes(b"")
    with pytest.raises(TableError) as told:
        manifest.read(manifest.DATASET, world)
    assert told.value.hint == "make it again: curate build"


def test_what_is_not_there_is_made_with_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(TableError) as told:
        manifest.read(manifest.DATASET, tmp_path)
    assert told.value.hint == "make it: curate scrape --query TEXT && curate crop && curate dedup && curate build"
    manifest.write(manifest.IMAGES, manifest.empty(manifest.IMAGES), tmp_path)
    with pytest.raises(TableError) as told:
        manifest.read(manifest.PAIRS, tmp_path)
    assert told.value.hint == "make it: curate pairs"
