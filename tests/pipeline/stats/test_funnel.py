"""The funnel: every row is in one place of it, and its text stands in line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.compute as pc
import pytest

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.core.text_table import width
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import funnel, funnel_steps, funnel_text
from curate.pipeline.tables import decisions, manifest
from tests.support.tables import crop_row, dedup_row, image_row, png, small_world


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    pairs.run(Pairs(size=32), tmp_path, engine=Engine(kind="inline"))
    return tmp_path


def part(found: funnel.Funnel, domain: str) -> funnel_steps.Part:
    return next(part for part in found.parts if part.domain == domain)


def test_an_empty_folder_has_a_funnel(tmp_path: Path) -> None:
    found = funnel.funnel(tmp_path)
    assert found.parts == found.origins == found.spreads == ()
    assert list(found.not_yet) == ["images"]
    assert "curate scrape" in funnel_text.text(found)


def test_the_steps_are_counted_and_say_what_they_count(world: Path) -> None:
    found = funnel.funnel(world)
    long = part(found, "long")
    assert {name: (step.count, step.unit) for name, step in long.steps.items()} == {
        "found": (15, "pictures"),
        "fetched": (12, "pictures"),
        "with_face": (11, "pictures"),
        "faces": (11, "faces"),
        "kept": (10, "faces"),
        "different": (9, "faces"),
    }
    assert sum(long.split.values()) == 9
    garments = part(found, "garments")
    assert garments.kind == "pairs"
    assert {name: (step.count, step.unit) for name, step in garments.steps.items()} == {
        "found": (10, "pictures"),
        "fetched": (10, "pictures"),
        "products": (6, "products"),
        "whole": (4, "products"),
        "pairs": (4, "pairs"),
    }
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


def adds_up(part_: funnel_steps.Part) -> bool:
    """Whether each step is what the one before it, of the same unit, left over, and the set what the last one did."""
    steps = list(part_.steps.values())
    left = [step.count - sum(loss.count for loss in step.losses) for step in steps]
    follow = all(n == b.count for n, a, b in zip(left, steps, steps[1:], strict=False) if a.unit == b.unit)
    held = sum(part_.split.values()) == left[-1] + part_.moved_here if part_.split else True
    return follow and held


def test_each_step_is_what_the_one_before_left(world: Path) -> None:
    assert all(adds_up(part_) for part_ in funnel.funnel(world).parts)


def test_several_faces_of_a_picture_and_what_has_not_been_looked_at_add_up(tmp_path: Path) -> None:
    images = [image_row(tmp_path, png(i), "long", i) for i in range(5)]
    crops = [crop_row(tmp_path, images[0]), crop_row(tmp_path, images[1])]
    crops += [
        crop_row(tmp_path, images[0], face_index=n, status=manifest.REJECTED, reason="not_largest") for n in (1, 2)
    ]
    crops.append(
        crop_row(tmp_path, images[2], faces=0, face_index=-1, status=manifest.REJECTED, reason="decode_failed")
    )
    stray = image_row(tmp_path, png(9), "long", 9)
    crops.append(crop_row(tmp_path, stray))  # its picture was forgotten since
    for table, rows in ((manifest.IMAGES, images), (manifest.CROPS, crops), (manifest.DEDUP, [dedup_row(crops[0])])):
        manifest.write(table, manifest.from_rows(table, rows), tmp_path)
    (long,) = funnel.funnel(tmp_path).parts
    assert adds_up(long)
    assert [(name, step.count) for name, step in long.steps.items()] == [
        ("found", 5),
        ("fetched", 5),
        ("with_face", 2),
        ("faces", 4),
        ("kept", 2),
        ("different", 1),
    ]
    assert [(loss.reason, loss.count) for loss in long.losses] == [
        ("waiting", 2),
        ("decode_failed", 1),
        ("not_largest", 2),
        ("waiting", 1),
    ]


def test_a_crop_that_a_decision_moves_leaves_one_domain_and_comes_to_another(world: Path) -> None:
    kept = next(row["crop_id"] for row in manifest.read(manifest.DATASET, world).to_pylist() if row["domain"] == "long")
    decisions.append(world, [decisions.Decision(item=kept, decision="move", domain="short", by="person")])
    build.run(Build(), world)
    found = funnel.funnel(world)
    long, short = part(found, "long"), part(found, "short")
    assert adds_up(long) and adds_up(short)
    assert (funnel_steps.Loss("build", "moved", 1) in long.losses, short.moved_here) == (True, 1)
    assert [sum(one.split.values()) for one in (long, short)] == [8, 10]


def test_a_product_without_a_pair_is_lost_once_and_a_colour_without_one_is_a_lost_pair(tmp_path: Path) -> None:
    def row(name: str, group: str, reason: str) -> dict[str, str]:
        status = manifest.ACCEPTED if reason == "ok" else manifest.REJECTED
        plain = dict.fromkeys(("cluster_id", "group_id"), group) | {"domain": "shop", "split": "train", "license": "by"}
        paths = {f"{kind}_path": f"processed/pairs/{name}_{kind}.png" for kind in ("article", "human")}
        paths |= {f"{kind}_image_id": f"{name}-{kind}" for kind in ("article", "human")}
        return plain | paths | {"pair_id": name, "status": status, "reason": reason}

    rows = [row("a", "p", "ok"), row("b", "p", "no_human"), row("c", "q", "no_article"), row("d", "q", "no_human")]
    manifest.write(manifest.PAIRS, manifest.from_rows(manifest.PAIRS, rows), tmp_path)
    (shop,) = funnel.funnel(tmp_path).parts
    assert adds_up(shop)
    assert {name: step.count for name, step in shop.steps.items()} == {"products": 2, "whole": 1, "pairs": 2}
    assert [(loss.reason, loss.count) for loss in shop.losses] == [("no_article", 1), ("no_human", 1)]


def test_faces_alone_are_never_told_to_make_pairs(world: Path) -> None:
    """`dvc repro` writes an empty pairs.parquet for them, too, and it grows old like the others."""
    images = manifest.read(manifest.IMAGES, world)
    faces = images.filter(pc.is_null(images["role"]))
    manifest.write(manifest.IMAGES, faces, world)
    pairs.run(Pairs(size=32), world, engine=Engine(kind="inline"))
    manifest.write(manifest.IMAGES, faces.slice(0, 9), world)
    found = funnel.funnel(world)
    assert found.freshness.commands[-1] == "curate build"
    assert "curate pairs" not in funnel_text.text(found)


def test_a_stage_that_has_not_run_is_not_yet_rather_than_nothing(tmp_path: Path) -> None:
    rows = [image_row(tmp_path, png(1), "a", 0)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    found = funnel.funnel(tmp_path)
    assert part(found, "a").count("fetched") == 1
    assert part(found, "a").count("faces") is None
    assert found.not_yet["crops"] == "curate crop"
    assert "·" in funnel_text.text(found)


def test_an_incomplete_product_does_not_make_a_domain_of_faces(tmp_path: Path) -> None:
    rows = [
        image_row(tmp_path, png(1), "shop", 0, role="article", group_id="p"),
        image_row(tmp_path, None, "shop", 1, group_id="q", status=manifest.REJECTED, reason="incomplete"),
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    (shop,) = funnel.funnel(tmp_path).parts
    assert (shop.kind, shop.count("found"), shop.count("fetched")) == ("pairs", 2, 1)


def test_a_domain_may_hold_both(tmp_path: Path) -> None:
    rows = [
        image_row(tmp_path, png(1), "mixed", 0, role="human", group_id="p"),
        image_row(tmp_path, png(2), "mixed", 1),
    ]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    assert [(p.kind, p.count("found")) for p in funnel.funnel(tmp_path).parts] == [("faces", 1), ("pairs", 1)]


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
    lines = funnel_text.text(funnel.funnel(tmp_path)).split("\n\n")[0].split("\n")
    assert len(lines) == 4
    assert len({width(line) for line in lines}) == 1


def test_metrics_are_files_for_dvc(world: Path) -> None:
    found = funnel.funnel(world)
    numbers, plot = funnel_text.write_metrics(found, world / "processed" / "report")
    tree = json.loads(numbers.read_text("utf-8"))
    assert tree["faces"]["long"]["kept"] == 10
    assert tree["pairs"]["garments"]["whole"] == 4
    rows = list(csv.DictReader(plot.open(encoding="utf-8")))
    assert {"kind": "faces", "domain": "long", "step": "found", "count": "15"} in rows
    again = numbers.read_bytes(), plot.read_bytes()
    funnel_text.write_metrics(found, world / "processed" / "report")
    assert (numbers.read_bytes(), plot.read_bytes()) == again
