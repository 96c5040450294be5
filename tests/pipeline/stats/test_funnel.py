"""The funnel: every row is in one place of it, and its text stands in line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.core.text_table import width
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import funnel
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, png, small_world


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    pairs.run(Pairs(size=32), tmp_path, engine=Engine(kind="inline"))
    return tmp_path


def part(funnel: funnel.Funnel, domain: str) -> funnel.Part:
    return next(part for part in funnel.parts if part.domain == domain)


def test_an_empty_folder_has_a_funnel(tmp_path: Path) -> None:
    found = funnel.funnel(tmp_path)
    assert found.parts == found.origins == found.spreads == ()
    assert list(found.not_yet) == ["images"]
    assert "curate scrape" in funnel.text(found)


def test_the_steps_are_counted(world: Path) -> None:
    found = funnel.funnel(world)
    steps = dict(part(found, "long").steps)
    split = [steps.pop(name) for name in ("train", "val", "test")]
    assert steps == {"found": 15, "fetched": 12, "faces": 11, "kept": 10, "duplicates": 1}
    assert None not in split
    assert sum(n or 0 for n in split) == 9
    garments = part(found, "garments")
    assert garments.kind == "pairs"
    assert [garments.steps[name] for name in ("found", "fetched", "products", "kept", "duplicates")] == [
        10,
        10,
        4,
        4,
        0,
    ]
    assert not found.not_yet


def test_every_loss_is_told_with_its_reason(world: Path) -> None:
    found = funnel.funnel(world)
    assert [(loss.stage, loss.reason, loss.count) for loss in part(found, "short").losses] == [
        ("scrape", "http_4xx", 1),
        ("scrape", "robots_denied", 1),
        ("scrape", "too_small", 1),
        ("crop", "no_face", 1),
        ("crop", "too_small", 1),
        ("dedup", "duplicate", 1),
    ]
    assert {(loss.stage, loss.reason) for loss in part(found, "garments").losses} == {
        ("pairs", "no_article"),
        ("pairs", "no_human"),
    }


def test_rows_and_losses_add_up(world: Path) -> None:
    for part_ in funnel.funnel(world).parts:
        lost = {stage: sum(x.count for x in part_.losses if x.stage == stage) for stage in ("scrape", "dedup")}
        steps = {name: n or 0 for name, n in part_.steps.items()}
        assert steps["found"] - lost["scrape"] == steps["fetched"]
        assert steps["kept"] - steps["duplicates"] == steps["train"] + steps["val"] + steps["test"]


def test_a_stage_that_has_not_run_is_not_yet_rather_than_nothing(tmp_path: Path) -> None:
    rows = [image_row(tmp_path, png(1), "a", 0)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    found = funnel.funnel(tmp_path)
    assert part(found, "a").steps["fetched"] == 1
    assert part(found, "a").steps["faces"] is None
    assert found.not_yet["crops"] == "curate crop"
    assert "·" in funnel.text(found)


def test_an_incomplete_product_does_not_make_a_domain_of_faces(tmp_path: Path) -> None:
    rows = [
        image_row(tmp_path, png(1), "shop", 0, role="article", group_id="p"),
        image_row(tmp_path, None, "shop", 1, group_id="q", status=manifest.REJECTED, reason="incomplete"),
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    (shop,) = funnel.funnel(tmp_path).parts
    assert (shop.kind, shop.steps["found"], shop.steps["fetched"]) == ("pairs", 2, 1)


def test_a_domain_may_hold_both(tmp_path: Path) -> None:
    rows = [
        image_row(tmp_path, png(1), "mixed", 0, role="human", group_id="p"),
        image_row(tmp_path, png(2), "mixed", 1),
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    assert [(p.kind, p.steps["found"]) for p in funnel.funnel(tmp_path).parts] == [("faces", 1), ("pairs", 1)]


def test_a_broken_table_says_which_and_what_to_do(world: Path) -> None:
    manifest.CROPS.path(world).write_bytes(b"not parquet")
    with pytest.raises(TableError, match=r"crops\.parquet") as told:
        funnel.funnel(world)
    assert "curate crop" in told.value.hint


def test_sources_and_licences_are_counted(world: Path) -> None:
    origins = {(o.source, o.license): (o.found, o.fetched) for o in funnel.funnel(world).origins}
    assert origins == {("html", "by"): (10, 10), ("html", "cc0"): (30, 24)}


def test_the_text_stands_in_line_with_japanese_domains(tmp_path: Path) -> None:
    rows = [image_row(tmp_path, png(i), domain, i) for i, domain in enumerate(("ロングヘア", "short"))]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    lines = funnel.text(funnel.funnel(tmp_path)).split("\n\n")[0].split("\n")
    assert len(lines) == 3
    assert len({width(line) for line in lines}) == 1


def test_metrics_are_files_for_dvc(world: Path) -> None:
    found = funnel.funnel(world)
    numbers, plot = funnel.write_metrics(found, world / "processed" / "report")
    tree = json.loads(numbers.read_text("utf-8"))
    assert tree["faces"]["long"]["kept"] == 10
    assert tree["pairs"]["garments"]["products"] == 4
    rows = list(csv.DictReader(plot.open(encoding="utf-8")))
    assert {"kind": "faces", "domain": "long", "step": "found", "count": "15"} in rows
    again = numbers.read_bytes(), plot.read_bytes()
    funnel.write_metrics(found, world / "processed" / "report")
    assert (numbers.read_bytes(), plot.read_bytes()) == again
