"""A run's config: strict where a person mistypes, defaults from the paper."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import UsageError
from curate.train.engine.precision import select_device
from curate.train.recipes import model_section
from curate.train.runs.config import TrainConfig, from_dict, parse_assignment, read


def config_of(section: dict[str, Any] | None = None, **flags: Any) -> TrainConfig:
    train = {} if section is None else {"cyclegan": section}
    return read(Params({"train": train}, None), "cyclegan", {k.replace("__", "."): v for k, v in flags.items()})


def test_defaults_are_the_papers() -> None:
    made = config_of().as_dict()
    assert made["run"]["epochs"] == 200
    assert made["run"]["batch"] == 1
    assert (made["data"]["size"], config_of().data.load_side) == (256, 286)
    papers = {
        "width": 64,
        "blocks": 9,
        "discriminator_width": 64,
        "discriminator_layers": 3,
        "cycle_weight": 10.0,
        "cycle_weight_b": None,
        "identity_weight": 5.0,
        "pool": 50,
        "lr": 2e-4,
        "beta1": 0.5,
        "beta2": 0.999,
        "constant_epochs": 100,
        "decay_epochs": 100,
    }
    assert made["model"].items() >= papers.items()
    off = {
        key: made["model"][key]
        for key in ("ema", "face_weight", "bcr_real_weight", "bcr_fake_weight", "face_branch", "cutmix")
    }
    assert not any(off.values()), "what the paper doesn't have is off"
    assert (made["model"]["adversarial"], made["model"]["discriminator"], made["model"]["discriminator_norm"]) == (
        "lsgan",
        "patch",
        "instance",
    )
    assert (made["model"]["augment"], made["model"]["r1_weight"]) == ([], 0.0)


def test_flags_override_the_file_and_none_is_no_flag() -> None:
    made = config_of({"run": {"steps": 10, "batch": 2}, "model": {"lr": 0.5}}, run__steps=20, run__batch=None)
    assert (made.run.steps, made.run.batch, made.as_dict()["model"]["lr"]) == (20, 2, 0.5)


def test_ugatits_are_its_papers_and_epochs_take_the_place_of_its_steps() -> None:
    def run(section: dict[str, Any], **flags: Any) -> tuple[int | None, int]:
        made = read(Params({"train": {"ugatit": {"run": section}}}, None), "ugatit", flags)
        return made.run.steps, made.run.epochs

    assert run({}) == (1_000_000, 200)
    assert run({"epochs": 40}) == (None, 40)
    assert run({"steps": 9}) == (9, 200)
    assert run({"steps": 9}, **{"run.epochs": 3}) == (None, 3)
    assert run({"steps": 9, "epochs": 4}) == (9, 4)
    assert run({"epochs": 40}, **{"run.steps": 7}) == (7, 40)


def test_a_config_comes_back_from_its_plain_form() -> None:
    made = config_of({"data": {"domains": {"a": "x", "b": "y"}}})
    assert from_dict(made.as_dict()) == made


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"modle": {}}, "train.cyclegan.modle: there is no such key; did you mean 'model'"),
        ({"model": {"widht": 3}}, "train.cyclegan.model.widht: there is no such key; did you mean 'width'"),
        ({"run": {"steps": 0}}, "train.cyclegan.run.steps: 0"),
        ({"data": {"size": 30}}, "train.cyclegan.data.size: 30"),
        ({"data": {"size": 64, "load": 60}}, "train.cyclegan.data.load: 60 is less than size, 64"),
        ({"run": {"device": "gpu"}}, "train.cyclegan.run.device: 'gpu'"),
    ],
)
def test_mistakes_are_named_by_their_dotted_key(section: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_of(section)
    assert message in caught.value.message


def test_recipes_with_a_typo_name_the_nearest() -> None:
    with pytest.raises(UsageError, match="no recipe 'cyclgan'; did you mean 'cyclegan'"):
        read(Params({}, None), "cyclgan")
    with pytest.raises(UsageError, match=r"train\.cycelgan: there is no such key; did you mean 'cyclegan'"):
        read(Params({"train": {"cycelgan": {}}}, None), "cyclegan")


def test_an_assignment_is_read_as_yaml() -> None:
    assert parse_assignment("model.lr=1.0e-3") == ("model.lr", 1e-3)
    assert parse_assignment("data.domains={a: x, b: y}") == ("data.domains", {"a": "x", "b": "y"})
    with pytest.raises(UsageError, match=r"--set model.lr: no '='"):
        parse_assignment("model.lr")
    with pytest.raises(UsageError, match=r"there is no key 'run\.stps'|there is no such key; did you mean 'steps'"):
        config_of(None, **{"run__stps": 3})
    with pytest.raises(UsageError, match=r"there is no key 'lr'; did you mean 'model.lr'"):
        config_of(None, lr=3)
    with pytest.raises(UsageError, match=r"there is no key 'ngf'; did you mean 'model.width'"):
        config_of(None, ngf=3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there() -> None:
    assert select_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="torch sees no GPU here"):
        select_device("cuda")


@pytest.mark.parametrize(
    ("recipe", "key", "value", "now"),
    [
        ("cyclegan", "lambda_identity", 0.5, "it is called identity_weight now, no longer a share of the cycle's"),
        ("cyclegan", "penalty", "real", "it is called r1_at now, and off while r1_weight is 0"),
        ("ugatit", "adversarial", 1.0, "what it was is called adversarial_weight now"),
    ],
)
def test_an_earlier_key_that_means_something_else_is_refused_with_its_name_of_today(
    recipe: str, key: str, value: object, now: str
) -> None:
    written = Params({"train": {recipe: {"model": {key: value}}}}, None)
    with pytest.raises(UsageError, match=f"train.{recipe}.model.{key}.*{now}"):
        read(written, recipe)
    with pytest.raises(UsageError, match=now):
        read(Params({}, None), recipe, {f"model.{key}": value})


def test_what_an_older_run_was_trained_with_is_read_under_todays_keys() -> None:
    older = {"ngf": 32, "lambda_a": 10.0, "lambda_b": 10.0, "lambda_identity": 0.3, "gan_loss": "bce", "lr_d": None}
    older |= {"penalty": "mixed", "penalty_weight": 0.01, "d_kind": "dual", "blocks": 2}
    now = model_section("cyclegan").from_older(older)
    assert now == {
        "width": 32,
        "cycle_weight": 10.0,
        "cycle_weight_b": None,
        "identity_weight": 3.0,
        "identity_weight_b": None,
        "adversarial": "bce",
        "discriminator_lr": None,
        "r1_at": "mixed",
        "r1_weight": 0.01,
        "discriminator": "dual",
        "blocks": 2,
    }
    assert model_section("cyclegan").from_older(now) == now
    uneven = model_section("cyclegan").from_older({"lambda_a": 2.0, "lambda_b": 4.0, "lambda_identity": 0.5})
    assert (uneven["identity_weight"], uneven["cycle_weight_b"], uneven["identity_weight_b"]) == (1.0, 4.0, 2.0)
    numbers = {"adversarial": 1.0, "cycle": 10.0, "identity": 5.0, "cam": 100.0, "r1": 0.0, "width": 16}
    assert model_section("ugatit").from_older(numbers)["adversarial_weight"] == 1.0
    renamed = model_section("ugatit").from_older({"adversarial": "lsgan", "cycle_weight": 10.0})
    assert renamed == {"adversarial": "lsgan", "cycle_weight": 10.0}


@pytest.mark.parametrize(
    ("recipe", "flags", "least"),
    [
        ("cyclegan", {}, 24),
        ("cyclegan", {"model.discriminator_layers": 4}, 48),
        ("cyclegan", {"model.discriminator_norm": "spectral"}, 24),
        ("cagan", {"model.variant": "keras"}, 32),
        ("cagan", {"model.variant": "modern", "data.width": 48}, 32),
    ],
)
def test_images_that_are_too_small_for_the_networks_are_refused_before_anything_else(
    recipe: str, flags: dict[str, object], least: int
) -> None:
    read(Params({}, None), recipe, {**flags, "data.size": least})
    with pytest.raises(UsageError, match=r"data\.size"):
        read(Params({}, None), recipe, {**flags, "data.size": least - 4})


def test_reading_a_config_loads_no_torch() -> None:
    code = (
        "import sys\nfrom curate.pipeline.core.config import Params\nfrom curate.train.runs.config import read\n"
        "read(Params({}, None), 'ugatit')\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
