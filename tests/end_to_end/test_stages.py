"""DVC on the demo's stages: each recipe is a stage of its own, and its params are its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.train.recipes import RECIPES
from tests.end_to_end.conftest import ROOT

STAGES = [f"train@{recipe}" for recipe in RECIPES]


def dvc(root: Path, *words: str) -> str:
    """What `dvc WORDS` prints in `root`."""
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo with every training stage done, as far as DVC can tell: nothing was trained."""
    root = tmp_path_factory.mktemp("stages")
    for folder in ("pipeline", "train"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, root / name)
    stages: dict[str, Any] = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]
    for recipe in RECIPES:
        parts = stages["train"]["do"]
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in parts["outs"]]
        for place in (*parts["deps"], *outs):
            path = root / place.replace("${key}", recipe)
            if path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                path.mkdir(parents=True, exist_ok=True)
                (path / "anything").touch()
    dvc(root, "init", "--no-scm", "-q")
    dvc(root, "commit", "-f", "-q", *STAGES)
    return root


def test_there_is_a_stage_for_each_recipe(trained: Path) -> None:
    known = {line.split()[0] for line in dvc(trained, "stage", "list", "--all").splitlines()}
    assert known >= {*STAGES, "translate@cyclegan", "translate@ugatit", "translate@cagan"}
    assert json.loads(dvc(trained, "status", "--json", *STAGES)) == {}


@pytest.mark.parametrize("recipe", RECIPES)
def test_other_params_of_a_recipe_change_its_own_stage_alone(trained: Path, recipe: str) -> None:
    path = trained / "params.yaml"
    before = path.read_text("utf-8")
    params = yaml.safe_load(before)
    params["train"][recipe]["model"]["lr"] = 0.0042
    path.write_text(yaml.safe_dump(params), "utf-8")
    try:
        assert list(json.loads(dvc(trained, "status", "--json", *STAGES))) == [f"train@{recipe}"]
    finally:
        path.write_text(before, "utf-8")
