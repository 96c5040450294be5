"""Runs and files of weights that were made under other keys go on, translate and are read as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from curate.pipeline.core.config import Params, as_dict, parse
from curate.pipeline.core.errors import UsageError
from curate.train.engine import checkpoint
from curate.train.recipes import RECIPES, model_section
from curate.train.runs.config import read
from curate.train.runs.run_dir import RunDir
from curate.train.runs.trained import load_run
from curate.train.trainer import run
from curate.train.weights import exchange, files, saved
from curate.train.weights.format import ImportedNetworks
from tests.support.training import dataset, tiny

# What config.json held under `model` before the keys were the same in all recipes.
CYCLEGAN = {
    "gan_loss": "lsgan",
    "d_kind": "patch",
    "d_norm": "instance",
    "ndf": 4,
    "layers": 2,
    "size": 32,
    "global_weight": 1.0,
    "global_warmup": 0.0,
    "bcr_real": 0.0,
    "bcr_fake": 0.0,
    "bcr_shift": 16,
    "bcr_tint": 0.0,
    "cutmix": False,
    "cutmix_warmup": 0.1,
    "augment": [],
    "ada": 0.0,
    "ada_kimg": 500.0,
    "penalty": "none",
    "penalty_weight": 5.0,
    "preset": "plain",
    "ngf": 4,
    "blocks": 1,
    "upsampling": "transposed",
    "lambda_a": 10.0,
    "lambda_b": 10.0,
    "lambda_identity": 0.5,
    "face_loss": 0.0,
    "face_branch": False,
    "pool": 3,
    "ema": 0.0,
    "lr": 0.0002,
    "lr_d": None,
    "beta1": 0.5,
    "beta2": 0.999,
    "constant_epochs": 100,
    "decay_epochs": 100,
}
UGATIT = {
    "size": 32,
    "width": 4,
    "blocks": 1,
    "light": True,
    "global_layers": None,
    "local_layers": None,
    "init": "uniform",
    "adversarial": 2.0,
    "cycle": 3.0,
    "identity": 4.0,
    "cam": 5.0,
    "lr": 0.0001,
    "beta1": 0.5,
    "beta2": 0.999,
    "weight_decay": 0.0001,
    "ema": 0.0,
    "augment": ["color"],
    "r1": 6.0,
}
CAGAN = {
    "variant": "modern",
    "size": 32,
    "width": 4,
    "cycle": 2.0,
    "mask": 0.03,
    "identity": 1.5,
    "adversarial": "hinge",
    "upsampling": "nearest",
    "tint": 0.5,
    "r1": 1.0,
    "noise": 0.2,
    "ema": 0.9,
    "lr": 0.001,
    "beta1": 0.5,
    "beta2": 0.999,
}
OLDER = {"cyclegan": CYCLEGAN, "ugatit": UGATIT, "cagan": CAGAN}


def age(folder: Path, **changed: Any) -> None:
    """Rewrites a run's config.json as an earlier version wrote it."""
    file = folder / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config["model"] = {**CYCLEGAN, **changed}
    file.write_text(json.dumps(config), "utf-8")


def test_a_run_goes_on_bit_for_bit_and_translates(tmp_path: Path) -> None:
    dataset(tmp_path)
    states = []
    for name in ("of_today", "aged"):
        run.run(tiny(run__steps=2), tmp_path, tmp_path / name)
        if name == "aged":
            age(tmp_path / name)
        assert run.run(tiny(run__steps=6), tmp_path, tmp_path / name).trained == 4
        newest = checkpoint.newest(tmp_path / name / "checkpoints")
        assert newest is not None
        states.append(checkpoint.read(newest)[1])
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert json.loads((tmp_path / "aged" / "config.json").read_text("utf-8"))["model"]["width"] == 4
    age(tmp_path / "aged")
    assert load_run(tmp_path / "aged", "cpu").step == 6
    assert exchange.read(tmp_path / "aged").config == tiny().model


def test_other_values_are_told_apart_under_the_names_of_today(tmp_path: Path) -> None:
    dataset(tmp_path)
    run.run(tiny(run__steps=2), tmp_path, tmp_path / "run")
    age(tmp_path / "run", lambda_b=3.0)
    with pytest.raises(UsageError) as caught:
        run.run(tiny(run__steps=4), tmp_path, tmp_path / "run")
    changes = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert changes == ["model.cycle_weight_b: 3.0 -> null", "model.identity_weight_b: 1.5 -> null"]


def test_a_run_whose_two_weights_are_written_down_as_equal_goes_on(tmp_path: Path) -> None:
    dataset(tmp_path)
    for steps in (2, 4):
        config = tiny(run__steps=steps, model__cycle_weight_b=10.0)
        assert run.run(config, tmp_path, tmp_path / "run").trained == 2


@pytest.mark.parametrize("name", OLDER)
def test_every_earlier_key_has_one_of_today(name: str) -> None:
    kind = model_section(name)
    made = parse(kind, kind.from_older(OLDER[name]), "model")
    assert kind.from_older(as_dict(made)) == as_dict(made), "what is of today stays as it is"
    renamed = {key: value for key, value in OLDER[name].items() if key in kind.RENAMED}
    assert renamed.keys() == kind.RENAMED.keys()
    for key, now in kind.RENAMED.items():
        params = Params({"train": {name: {"model": {key: OLDER[name][key]}}}}, None)
        if "," in now or key in kind.__struct_fields__:
            with pytest.raises(UsageError, match=f"model.{key}"):
                read(params, name)
        else:
            assert as_dict(read(params, name).model)[now] == OLDER[name][key]
            assert (
                as_dict(read(Params({}, None), name, {f"model.{key}": OLDER[name][key]}).model)[now] == OLDER[name][key]
            )


def test_one_key_under_two_names_is_refused() -> None:
    params = Params({"train": {"cyclegan": {"model": {"ngf": 8, "width": 16}}}}, None)
    with pytest.raises(UsageError, match=r"model\.ngf: it is called width now, and width is there, too"):
        read(params, "cyclegan")


def test_an_earlier_key_on_the_command_line_outranks_the_file() -> None:
    params = Params({"train": {"cyclegan": {"model": {"width": 16, "d_kind": "unet"}}}}, None)
    model = as_dict(read(params, "cyclegan", {"model.ngf": 8}).model)
    assert (model["width"], model["discriminator"], model["discriminator_norm"]) == (8, "unet", "spectral")


def test_earlier_weights_keep_their_meaning() -> None:
    ugatit = as_dict(parse(model_section("ugatit"), model_section("ugatit").from_older(UGATIT), "model"))
    assert [ugatit[f"{key}_weight"] for key in ("adversarial", "cycle", "identity", "cam", "r1")] == [2, 3, 4, 5, 6]
    assert ugatit["adversarial"] == "lsgan"
    cagan = as_dict(parse(model_section("cagan"), model_section("cagan").from_older(CAGAN), "model"))
    assert [cagan[f"{key}_weight"] for key in ("adversarial", "cycle", "identity", "mask", "r1")] == [
        1,
        2,
        1.5,
        0.03,
        1,
    ]
    assert cagan["adversarial"] == "hinge"


@pytest.mark.parametrize("name", OLDER)
def test_a_file_of_weights_is_read(name: str, tmp_path: Path) -> None:
    kind = RECIPES.resolve(name)
    config = parse(kind.Config, kind.Config.from_older(OLDER[name]), "model")
    torch.manual_seed(0)
    recipe = kind(config)
    role = "generator" if name == "cagan" else "g_a2b"
    states = {role: dict(getattr(recipe, role).state_dict())}
    path = saved.save(ImportedNetworks(name, config, states), tmp_path / "new.safetensors")
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()[files.HEADER])
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    header["config"] = OLDER[name]
    save_file(tensors, tmp_path / "old.safetensors", {files.HEADER: json.dumps(header)})
    assert exchange.read(tmp_path / "old.safetensors").config == config


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    dataset(tmp_path)
    run.run(tiny(run__steps=2), tmp_path, tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    file.write_text(file.read_text("utf-8").replace('"model": {', '"model": 3, "was": {'), "utf-8")
    with pytest.raises(UsageError, match=r"config\.json: broken"):
        RunDir(tmp_path / "run").read()
