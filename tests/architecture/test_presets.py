"""What needs both halves to be judged: the training sections of presets, and params.yaml as `curate init` has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curate.pipeline.cli import params_file, presets
from curate.pipeline.cli.commented_yaml import read, values
from curate.pipeline.core import config
from curate.pipeline.core.config import as_dict
from curate.train.runs.config import read as read_config
from tests.support import ROOT


@pytest.mark.parametrize("name", presets.names())
def test_each_recipe_of_a_preset_is_set_up_strictly(name: str, tmp_path: Path) -> None:
    presets.write(name, tmp_path)
    given = config.load(tmp_path)
    for recipe in yaml.safe_load(presets.text(name)).get("train", {}):
        assert read_config(given, recipe).recipe == recipe


def test_params_yaml_is_what_init_writes() -> None:
    assert (ROOT / "params.yaml").read_text("utf-8") == presets.text("demo"), "run: curate init demo --force"


def test_every_key_of_training_is_explained_or_a_word_among_words() -> None:
    for name, kind in params_file.sections().items():
        comments, words = params_file.field_comments(kind), params_file.choices(kind)
        assert not {f"{name}.{key}" for key, comment in comments.items() if not comment and key not in words}


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_sets_no_recipe_to_what_it_has_anyway(name: str) -> None:
    own = values(read(presets.source(name)))
    base = values(presets.tree(own["extends"])).get("train", {}) if "extends" in own else {}
    for recipe, groups in own["train"].items():
        for group, section in params_file.recipe_sections(recipe, base.get(recipe, {})).items():
            idle = as_dict(section).items()
            assert not {key for key, value in (groups.get(group) or {}).items() if (key, value) in idle}


def test_recipes_that_a_preset_does_not_name_are_named_to_the_reader() -> None:
    for name in presets.names():
        trained = yaml.safe_load(presets.text(name))["train"]
        for recipe in params_file.recipes():
            told = presets.text(name).partition("# Not trained here: ")[2].partition(".")[0]
            assert (recipe in trained) != (recipe in told.split(", "))


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_has_every_section_that_a_stage_depends_on(name: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"].values()
    wanted = {key for stage in stages for key in stage.get("params", ())} | {"train", "translate"}
    written = yaml.safe_load(presets.text(name))
    assert wanted <= written.keys(), "dvc repro refuses a stage whose params are missing"
    assert isinstance(written["train"], dict), "it goes through them"
    assert all(isinstance(written["translate"][key], list) for key in ("runs", "shipped"))
    assert set(written["evaluate"]["runs"]) <= written["train"].keys()
