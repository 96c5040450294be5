"""The training sections of the presets, which only the training half can judge."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curate.pipeline.cli import presets
from curate.pipeline.core import config
from curate.train.runs.config import read
from tests.architecture.imports import ROOT


@pytest.mark.parametrize("name", presets.names())
def test_each_recipe_of_a_preset_is_set_up_strictly(name: str, tmp_path: Path) -> None:
    presets.write(name, tmp_path)
    given = config.load(tmp_path)
    for recipe in yaml.safe_load(presets.text(name)).get("train", {}):
        assert read(given, recipe).recipe == recipe


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_has_every_section_that_a_stage_depends_on(name: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"].values()
    wanted = {key for stage in stages for key in stage.get("params", ())} | {"train", "translate"}
    assert wanted <= yaml.safe_load(presets.text(name)).keys(), "dvc repro refuses a stage whose params are missing"
