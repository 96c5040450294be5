"""The whole road on a small drawn world: from a query to translated photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.pipeline.tables import manifest
from tests.support import ROOT
from tests.support.command import curate

WORLD = {"seed": 5, "portraits": 16, "anime": 2, "icons": 2, "garments": 9}
RUN = {"steps": 4, "tick": 2, "batch": 2, "samples": 1, "sample_every": 2, "checkpoint_every": 2}
TINY = {
    "cyclegan": {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 1},
    "cagan": {"variant": "modern", "width": 2},
}
HELD_OUT = {"cyclegan": "test", "cagan": "val"}  # in so small a world, test has no two garments


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the data half has run on a small demo."""
    root = tmp_path_factory.mktemp("road")
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    params["engine"] = {"kind": "inline"}
    params["scrape"]["demo"] = WORLD
    for query in params["scrape"]["queries"]:
        query["site"] = str(ROOT / query["site"])
    params["build"] = {"val": 0.2, "test": 0.3}  # so that of so few none of the splits is empty, whatever was drawn
    params["train"] = {
        name: {"data": {**section["data"], "size": 32}, "run": RUN, "model": TINY[name]}
        for name, section in params["train"].items()
        if name in TINY
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    for command in ("scrape", "crop", "dedup", "pairs", "build"):
        curate(command, "--root", root)
    return root


def test_every_table_is_there_and_none_lost_a_row(world: Path) -> None:
    tables = {name: manifest.read(table, world) for name, table in manifest.TABLES.items()}
    faces = [row for row in manifest.accepted(tables["images"]).to_pylist() if row["role"] is None]
    assert {row["image_id"] for row in tables["crops"].to_pylist()} == {row["image_id"] for row in faces}
    assert tables["dedup"].num_rows == manifest.accepted(tables["crops"]).num_rows
    assert tables["dataset"].num_rows == manifest.accepted(tables["dedup"]).num_rows
    domains = set(tables["dataset"]["domain"].to_pylist())
    assert {"long", "short"} <= domains
    assert manifest.accepted(tables["pairs"]).num_rows >= WORLD["garments"] - 1


def test_stats_count_what_the_tables_hold(world: Path) -> None:
    funnel = json.loads(curate("stats", "--root", world, "--json").stdout)
    images = manifest.read(manifest.IMAGES, world).to_pylist()
    for part in funnel["parts"]:
        assert part["steps"]["found"]["count"] == sum(row["domain"] == part["domain"] for row in images)


@pytest.mark.parametrize("recipe", TINY)
def test_a_recipe_trains_and_its_stage_translates_what_was_held_out(world: Path, recipe: str) -> None:
    curate("train", recipe, "--root", world)
    run, out = world / "processed" / "runs" / recipe, world / "processed" / "translated" / recipe
    assert json.loads((run / "metrics.json").read_text())["steps"] == RUN["steps"]
    assert list((run / "samples").glob("*.png"))
    words = ("--run", f"processed/runs/{recipe}", "--split", HELD_OUT[recipe], "--out", out)
    said = json.loads(curate("translate", *words, "--root", world, "--json").stdout)
    assert said and all(Path(one["output"]).is_file() for one in said)
    told = json.loads(curate("demo", "--measure", out, "--root", world, "--json").stdout)
    assert 0 < told["pictures"] <= len(said)
    assert curate("train", recipe, "--root", world).stdout.count("finished before") == 1


def test_the_report_is_written(world: Path) -> None:
    curate("stats", "--html", "--root", world)
    page = (world / "processed" / "report" / "index.html").read_text("utf-8")
    assert "long" in page
    assert "http://" not in page.replace("http://demo.curate.test", "").replace("http://www.w3.org", "")
