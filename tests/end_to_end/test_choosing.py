"""Choosing from the command line: look, decide, take the best, build, hand it on, take it back."""

from __future__ import annotations

import json
from pathlib import Path

from curate.pipeline.tables import manifest
from tests.support.command import curate
from tests.support.tables import small_world


def trains(root: Path) -> set[str]:
    return set(manifest.accepted(manifest.read(manifest.DATASET, root))["crop_id"].to_pylist())


def test_the_road_of_choosing(tmp_path: Path) -> None:
    world = tmp_path
    small_world(world)
    here = ("--root", world)
    view = json.loads(curate("sort", "--by", "face_sharpness", "--reverse", "--top", "5", "--json", *here).stdout)
    assert (view["rows"], view["shown"]) == (5, 5)
    assert (world / view["page"]).read_text("utf-8").count("<img") == 5
    assert json.loads(curate("list", "no-face", "--json", *here).stdout)["rows"] == 2

    curate("build", *here)
    whole = trains(world)
    best = (world / view["list"]).read_text("utf-8").splitlines()[1].split("\t")[0]
    line = json.dumps({"item": best, "decision": "reject", "reason": "mirrored", "by": "ann"})
    (world / "manifests" / "review.jsonl").write_text(f"{line}\nnonsense\n", "utf-8")
    choices = json.loads(curate("select", "--keep", "4", "--json", *here).stdout)
    assert [(c["domain"], c["chosen"]) for c in choices] == [("long", 4), ("short", 4)]
    assert "review.jsonl:2: decides nothing" in curate("build", *here).stderr
    assert len(trains(world)) == 8
    assert best not in trains(world)
    assert "review" in curate("stats", *here).stdout

    out = world / "set"
    said = curate("export", "--to", "folders", "--out", out, "--domain", "long", "--domain", "short", *here).stdout
    assert "trainA" in said
    assert len(list(out.rglob("*.png"))) == 8
    assert "not empty" in curate("export", "--to", "webdataset", "--out", world / "raw", *here, code=2).stderr

    assert "decisions taken back" in curate("select", "--undo", *here).stdout
    curate("build", *here)
    assert trains(world) == whole - {best}
