"""dvc.yaml against the code: each stage depends on the folders that it runs, and on no others."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from curate.train.recipes import RECIPES
from curate.train.weights.shipped import SHIPPED
from tests.architecture.imports import closure, files, modules
from tests.support import ROOT

PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
WRITTEN = ("review.jsonl", "faces.jsonl")  # by persons
DATA = "scrape crop dedup pairs build stats".split()

# What a stage reaches by name, through a registry: the folder that the registry names.
BY_NAME = {
    "scrape": ["curate.pipeline.scrape.sources"],
    "crop": ["curate.pipeline.faces.detectors"],
    "pairs": ["curate.pipeline.faces.detectors"],
}
STARTS = {
    "train": ["curate.train.trainer.run"],
    "translate": ["curate.train.translate.stage", "curate.train.translate.try_on"],
    "evaluate": ["curate.train.comparison.stage"],
}


def folder(path: Path) -> str | None:
    """The folder of `path` that a stage would depend on; None for what cannot change a result."""
    depth = 3 if path.parts[:2] == ("train", "recipes") else 2
    if path.parts[:2] in {("pipeline", "core"), ("src", "curate")} or len(path.parts) <= depth:
        return None  # core, curate's own files, the two halves' __init__ and the table of recipes
    return "/".join(path.parts[:depth])


def needed(starts: list[str]) -> set[str]:
    """The folders of code that run when these modules do, and all that lies below them."""
    roots = [path for name, path in modules().items() for s in starts if name == s or name.startswith(s + ".")]
    assert roots
    reached = set().union(*(closure(path) for path in roots))
    return {found for path in reached if (found := folder(path))}


def code(deps: list[str]) -> set[str]:
    return {dep for dep in deps if dep.startswith(("pipeline/", "train/"))}


def test_a_decision_runs_what_reads_it_and_a_placed_face_the_crops() -> None:
    """So neither looks at photos again, beyond those in which a face was placed."""
    read = {name: [stage for stage in DATA if f"manifests/{name}" in STAGES[stage]["deps"]] for name in WRITTEN}
    assert read == {"review.jsonl": ["pairs", "build"], "faces.jsonl": ["crop"]}


@pytest.mark.parametrize("stage", DATA)
def test_a_stage_depends_on_the_folders_that_it_runs(stage: str) -> None:
    starts = [f"curate.pipeline.{stage}.stage", *BY_NAME.get(stage, [])]
    assert code(STAGES[stage]["deps"]) == needed(starts)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stage", STARTS)
def test_a_training_stage_depends_on_the_folders_that_it_runs(stage: str, recipe: str) -> None:
    deps = [dep.replace("${key}", recipe).replace("${item}", recipe) for dep in STAGES[stage]["do"]["deps"]]
    tables = ["curate.pipeline.faces.detectors", f"curate.train.recipes.{recipe}"]
    assert code(deps) == needed([*STARTS[stage], *tables])


def test_shipped_networks_depend_on_all_recipes_and_on_what_translates() -> None:
    deps = code(STAGES["shipped"]["do"]["deps"])
    recipes = [f"curate.train.recipes.{name}" for name in RECIPES]
    starts = [*STARTS["translate"], "curate.train.weights.exchange", "curate.pipeline.faces.detectors", *recipes]
    assert deps - {"train/recipes"} == {dep for dep in needed(starts) if not dep.startswith("train/recipes/")}
    assert "train/recipes" in deps


def test_code_is_named_by_folders_alone() -> None:
    deps = [dep for stage in STAGES.values() for dep in code(stage.get("do", stage)["deps"])]
    assert not [dep for dep in deps if "." in dep]
    folders = [re.sub(r"\$\{\w+\}", "cyclegan", dep) for dep in deps]
    assert all((ROOT / dep).is_dir() for dep in folders)


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_stand_below_the_three_folders(stage: str) -> None:
    recipe = STAGES[stage].get("do", STAGES[stage])
    for out in recipe.get("outs", []) + recipe.get("metrics", []) + recipe.get("plots", []):
        path = Path(out if isinstance(out, str) else next(iter(out)))
        assert path.parts[0] in {"raw", "processed", "manifests"}
        assert len(path.parts) > 1, "DVC deletes an output before a run: never a whole top folder"


def test_no_table_is_deleted_under_another_command() -> None:
    """DVC deletes the other outputs before it begins a stage, whoever reads them meanwhile."""
    outs = [out for name in DATA for out in STAGES[name]["outs"]]
    assert [out for out in outs if isinstance(out, str) or not all(one["persist"] for one in out.values())] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_the_command_that_a_person_runs(stage: str) -> None:
    recipe = STAGES[stage].get("do", STAGES[stage])
    first, *then = [recipe["cmd"]] if isinstance(recipe["cmd"], str) else recipe["cmd"]
    assert first.startswith(f"curate {'translate' if stage == 'shipped' else stage}")
    assert set(then) <= {STAGES["stats"]["cmd"]}, "and writes the report on the way"


def test_a_scrape_that_finds_fewer_than_wanted_stops_no_pipeline() -> None:
    assert "--accept-fewer" in STAGES["scrape"]["cmd"]


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with this code, whose every stage is up to date: `dvc commit` records what stands there."""
    root = tmp_path_factory.mktemp("committed")
    for path in files():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    for name in ("dvc.yaml", ".dvcignore", "params.yaml"):
        shutil.copy(ROOT / name, root / name)
    Repo.init(str(root), no_scm=True).close()
    for stage in STAGES.values():
        inner = stage.get("do", stage)
        paths = [
            p if isinstance(p, str) else next(iter(p))
            for p in [*inner["deps"], *inner["outs"], *inner.get("metrics", ())]
        ]
        for path in paths:
            for name in [*RECIPES, *SHIPPED] if "$" in path else [""]:
                made = root / re.sub(r"\$\{\w+\}", name, path)
                if not made.exists() and made.suffix:
                    made.parent.mkdir(parents=True, exist_ok=True)
                    made.write_text(path)
                elif not made.exists():
                    made.mkdir(parents=True)
                    (made / "made.txt").write_text(path)
    with contextlib.chdir(root), Repo() as repo:
        repo.commit(force=True)
        assert repo.status() == {}
    return root


FROM_SHIPPED = {f"shipped@{name}" for name in PARAMS["translate"]["shipped"]}
EVALUATED = {f"evaluate@{recipe}" for recipe in PARAMS["evaluate"]["runs"]}
TRAINED = {f"{stage}@{recipe}" for stage in ("train", "translate") for recipe in PARAMS["train"]}
TRAINED |= FROM_SHIPPED | EVALUATED
EDITS = {
    "pipeline/scrape/config.py": ("delay: Seconds = 1.0", "delay: Seconds = 1.5", {"scrape"}),
    "pipeline/demo/config.py": ("seed: int = 7", "seed: int = 8", {"scrape"}),
    "pipeline/faces/config.py": ("= 1.15 ", "= 1.05 ", {"crop", "dedup", "pairs", "stats", *TRAINED}),
    "pipeline/crop/config.py": ("= 50_000 ", "= 60_000 ", {"crop"}),
    "pipeline/dedup/config.py": ("= 0.92 ", "= 0.9 ", {"dedup"}),
    "pipeline/pairs/config.py": ("val: Share = 0.1", "val: Share = 0.2", {"pairs"}),
    "pipeline/build/config.py": ("val: Share = 0.1", "val: Share = 0.2", {"build"}),
    "pipeline/stats/config.py": ("= 40 ", "= 50 ", {"stats"}),
    "train/runs/config.py": ("keep_last: Positive = 2", "keep_last: Positive = 3", TRAINED),
    "train/data/config.py": ("flip: Share = 0.5", "flip: Share = 0.4", TRAINED),
    **{
        f"train/recipes/{name}/config.py": (
            "    width: Positive = 64",
            "    width: Positive = 32",
            {f"train@{name}", f"translate@{name}", *FROM_SHIPPED, *(EVALUATED & {f"evaluate@{name}"})},
        )
        for name in PARAMS["train"]
    },
}


@pytest.fixture(scope="module")
def marked(committed: Path) -> dict[str, dict[str, Any]]:
    """For each stage that DVC would run after all of EDITS, and other params for each recipe: what it says changed.

    DVC is asked once: it names the folders and the params, and takes a second to answer.
    """
    for path, (old, new, _) in EDITS.items():
        file = committed / path
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{path}: {old!r}"
        file.write_text(text.replace(old, new), "utf-8")
    params = yaml.safe_load((committed / "params.yaml").read_text("utf-8"))
    for recipe in PARAMS["train"]:
        params["train"][recipe]["model"]["lr"] = 0.0042
    (committed / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    with contextlib.chdir(committed), Repo() as repo:
        return {stage: found[0]["changed deps"] for stage, found in repo.status().items()}


@pytest.mark.parametrize("path", EDITS)
def test_a_changed_default_marks_its_stage(marked: dict[str, dict[str, Any]], path: str) -> None:
    stages = {stage for stage, changed in marked.items() if any(path.startswith(f"{dep}/") for dep in changed)}
    assert stages == EDITS[path][2]


@pytest.mark.parametrize("recipe", PARAMS["train"])
def test_other_params_of_a_recipe_change_its_own_stage_alone(marked: dict[str, dict[str, Any]], recipe: str) -> None:
    stages = {stage for stage, changed in marked.items() if f"train.{recipe}" in changed.get("params.yaml", {})}
    assert stages == {f"train@{recipe}"}
