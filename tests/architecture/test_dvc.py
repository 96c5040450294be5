"""dvc.yaml against the code: each stage depends on the files that it runs, and on no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.train.recipes import RECIPES
from tests.architecture.imports import ROOT, closure, files, modules

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]

# What carries a stage's work but cannot change its result.
PLUMBING = {
    f"pipeline.{m}"
    for m in "errors progress registry params section rules choices copyrules engine pool cluster".split()
} | {
    "pipeline",
    "train",
}

# What a stage reaches by name, through a registry or the command's own body.
BY_NAME = {
    "scrape": ("curate.pipeline.scrape.sources", "curate.pipeline.demo"),
    "crop": ("curate.pipeline.faces.detectors",),
    "pairs": ("curate.pipeline.faces.detectors",),
    "translate": ("curate.pipeline.faces.detectors", "curate.train.translate.try_on"),
    "stats": ("curate.pipeline.stats.report",),
}
STARTS = {
    "scrape": "curate.pipeline.scrape.stage",
    "crop": "curate.pipeline.crop.stage",
    "dedup": "curate.pipeline.dedup.stage",
    "pairs": "curate.pipeline.pairs.stage",
    "build": "curate.pipeline.build.stage",
    "stats": "curate.pipeline.stats.funnel",
}


def declared(stage: dict[str, Any]) -> set[Path]:
    """The source files among a stage's deps, folders opened."""
    found: set[Path] = set()
    for dep in stage["deps"]:
        path = Path(dep)
        found |= {file for file in files() if file == path or path in file.parents}
    return found


def needed(starts: list[str]) -> set[Path]:
    """The source files that run when these modules do."""
    roots = [path for name, path in modules().items() for s in starts if name == s or name.startswith(s + ".")]
    reached = set().union(*(closure(path) for path in roots))
    return reached - {modules()[name] for name in PLUMBING}


@pytest.mark.parametrize("stage", STARTS)
def test_a_stage_depends_on_the_code_that_it_runs(stage: str) -> None:
    assert declared(STAGES[stage]) == needed([STARTS[stage], *BY_NAME.get(stage, ())])


def trained(stage: str, recipe: str) -> set[Path]:
    """The source files that a training stage runs for `recipe`."""
    start = {"train": "curate.train.trainer.run", "translate": "curate.train.translate.translator"}[stage]
    return needed([start, f"curate.train.recipes.{recipe}", *BY_NAME.get(stage, ())])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stage", ["train", "translate"])
def test_a_training_stage_depends_on_the_code_that_it_runs(stage: str, recipe: str) -> None:
    deps = [dep.replace("${key}", recipe).replace("${item}", recipe) for dep in STAGES[stage]["do"]["deps"]]
    found = declared({"deps": deps})
    assert trained(stage, recipe) <= found
    own = {modules()[f"curate.train.recipes.{other}"] for other in RECIPES if other != recipe}
    shared = set().union(*(trained(stage, other) for other in RECIPES)) - own
    assert found <= shared, "a stage that depends on code which no recipe runs is run for nothing"


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_stand_below_the_three_folders(stage: str) -> None:
    recipe = STAGES[stage].get("do", STAGES[stage])
    for out in recipe.get("outs", []) + recipe.get("metrics", []) + recipe.get("plots", []):
        path = Path(out if isinstance(out, str) else next(iter(out)))
        assert path.parts[0] in {"raw", "processed", "manifests"}
        assert len(path.parts) > 1, "DVC deletes an output before a run: never a whole top folder"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_the_command_that_a_person_runs(stage: str) -> None:
    recipe = STAGES[stage].get("do", STAGES[stage])
    assert recipe["cmd"].startswith(f"curate {stage}")
