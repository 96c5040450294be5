"""What every recipe must do. A new one needs a line in SMALL; a word after its name tells choices of it apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from curate.pipeline.core.config import parse
from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.contract import Batch, Clock, Recipe
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.meter import Scalars
from curate.train.engine.precision import Precision
from curate.train.engine.rng import generator
from curate.train.recipes import RECIPES, model_section

SIDE = 32  # px
KEYS = ("a", "b", "human", "article", "other")  # of every pairing
STEPS = 5
MIDDLE = Clock(16, 32)  # what only begins a run is over, and what comes every 16 steps is due
Z_DIM, CLASSES = 4, 2  # of those that make pictures of noise

SMALL: Mapping[str, Mapping[str, Any]] = {  # each with all that a run must remember
    "cyclegan": {
        "width": 4,
        "discriminator_width": 4,
        "blocks": 1,
        "discriminator_layers": 2,
        "pool": 2,
        "ema": 0.9,
        "ada_target": 0.6,
        "ada_kimg": 0.01,
    },
    "cyclegan masked": {
        "generator": "masked",
        "backbone": "unet",
        "pretrain": 0.2,
        "width": 4,
        "discriminator": "batch",
        "discriminator_width": 4,
        "discriminator_layers": 2,
        "batch_queue": 2,
        "blocks": 1,
        "ema": 0.9,
        "cycle_noise": 0.1,
        "mask_smooth_weight": 0.1,
        "mask_decided_weight": 0.1,
        "mask_back_weight": 0.1,
        "mask_warmup": 0.5,
    },
    "ugatit": {"size": SIDE, "width": 4, "blocks": 1, "ema": 0.9, "augment": ["color"], "r1_weight": 1.0},
    "ugatit masked": {
        "generator": "masked",
        "backbone": "unet",
        "width": 4,
        "blocks": 1,
        "whole": False,
        "local_layers": 3,
        "discriminator_width": 4,
        "ema": 0.9,
        "cycle_noise": 0.1,
        "mask_smooth_weight": 0.1,
        "mask_decided_weight": 0.1,
        "mask_back_weight": 0.1,
    },
    "ugatit palette": {
        "backbone": "unet",
        "palette": 3,
        "width": 4,
        "whole": False,
        "local_layers": 3,
        "colour_weight": 1.0,
    },
    "cagan": {"variant": "modern", "size": SIDE, "width": 4, "tint": 0.5, "r1_weight": 1.0},
    "cagan warped": {"variant": "warped", "size": SIDE, "width": 4, "adversarial_weight": 1.0, "cycle_weight": 1.0},
    "council": {
        "members": 3,
        "width": 4,
        "blocks": 1,
        "style": 4,
        "hidden": 4,
        "council_start": 0,
        "comparisons": 3,
        "loss_matching_steps": 3,
        "mask_start": 0,
        "mask_decided_weight": 0.1,
        "mask_weight": 0.1,
        "mask_smooth_weight": 0.1,
        "ema": 0.9,
        "r1_weight": 1.0,
        "augment": ["color"],
    },
    "stylegan2": {
        "size": SIDE,
        "z_dim": Z_DIM,
        "w_dim": 4,
        "labels": CLASSES,
        "channel_base": 128,
        "channel_max": 8,
        "r1_every": 2,
        "path_length_every": 2,
        "ada_kimg": 0.01,
    },
}
MADE: Mapping[str, Mapping[str, str]] = {  # what render makes, from which input
    "cagan": {"swapped": "human", "alpha": "human"},
    "cagan warped": {"swapped": "human", "alpha": "human"},
    "council": {"a2b": "a"},
    "stylegan2": {"image": "a"},
}
UNBOUNDED = ("stylegan2",)  # whose pictures are about [-1, 1]
TWO_DOMAINS = {"a2b": "a", "b2a": "b"}

every = pytest.mark.parametrize("name", SMALL)


def build(name: str, **keys: Any) -> Any:
    torch.manual_seed(0)
    kind = RECIPES.resolve(name.partition(" ")[0])
    return kind(parse(kind.Config, {**SMALL[name], **keys}, "model"))


def batches(step: int) -> Batch:
    rng = generator("test", step)
    images = {key: torch.rand(1, 3, SIDE, SIDE, generator=rng) * 2 - 1 for key in KEYS}
    return {**images, "labels": torch.eye(CLASSES)[[step % CLASSES]]}


def trained(recipe: Recipe, loop_config: LoopConfig) -> tuple[dict[str, Any], list[tuple[int, Scalars]]]:
    """The recipe's state and all the ticks of a run."""
    ticks: list[tuple[int, Scalars]] = []
    train(recipe, batches, loop_config, lambda clock, scalars: ticks.append((clock.step, scalars)))
    return {name: value.clone() for name, value in recipe.state_dict().items()}, ticks


def equal(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@every
def test_a_step_is_finite_and_moves_every_parameter(name: str) -> None:
    recipe = build(name)
    before = {key: value.clone() for key, value in recipe.named_parameters() if value.requires_grad}
    _, ticks = trained(recipe, LoopConfig(2, tick=1))
    assert len(ticks) == 2
    assert all(loss == loss and abs(loss) < 1e6 for _, scalars in ticks for loss in scalars.values())
    still = {key for key, value in recipe.named_parameters() if key in before and torch.equal(before[key], value)}
    # A bias before an instance norm has no effect, so its gradient is zero up to rounding.
    assert not {key for key in still if key.endswith("weight")}


@every
def test_each_update_changes_its_own_parameters_and_no_others(name: str) -> None:
    recipe = build(name)
    owners = {
        id(parameter): optimizer
        for optimizer, made in recipe.optimizers.items()
        for group in made.param_groups
        for parameter in group["params"]
    }
    assert {id(p) for p in recipe.parameters() if p.requires_grad} == owners.keys()  # an average has none
    seen = []
    for update in recipe.step(batches(0), MIDDLE):
        optimizer = recipe.optimizers[update.optimizer]
        own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        before = {id(parameter): parameter.detach().clone() for parameter in recipe.parameters()}
        optimizer.zero_grad()
        sum(update.losses.values()).backward(inputs=own)
        optimizer.step()
        owned = [p for p in recipe.parameters() if id(p) in owners]
        moved = {owners[id(p)] for p in owned if not torch.equal(p, before[id(p)])}
        assert moved == {update.optimizer}
        seen.append(update.optimizer)
    assert set(seen) == set(recipe.optimizers)


@every
@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_resumed_run_is_bit_equal_to_one_that_never_stopped(name: str, stop: int, tmp_path: Path) -> None:
    whole, ticks = trained(build(name), LoopConfig(STEPS, tick=2))
    checkpoints = CheckpointManager(tmp_path)
    asked = iter([False] * (stop - 1) + [True])
    interrupted = LoopConfig(STEPS, tick=2, checkpoints=checkpoints, checkpoint_every=100, stop=lambda: next(asked))
    first: list[tuple[int, Scalars]] = []
    with pytest.raises(KeyboardInterrupt):
        train(build(name), batches, interrupted, lambda clock, scalars: first.append((clock.step, scalars)))
    resumed, rest = trained(build(name), LoopConfig(STEPS, tick=2, checkpoints=checkpoints))
    assert equal(whole, resumed)
    assert [*first, *rest] == ticks


@every
def test_render_gives_pictures_of_the_inputs_size_and_range(name: str) -> None:
    recipe, given = build(name), {**batches(0), "z": torch.randn(1, Z_DIM)}
    recipe.eval()
    made = recipe.render(given)
    expected = MADE.get(name, TWO_DOMAINS)
    assert expected.keys() <= made.keys()
    for key, source in expected.items():
        assert made[key].shape == given[source].shape
        assert name in UNBOUNDED or made[key].abs().max() <= 1.0
        assert not made[key].requires_grad
    if expected is TWO_DOMAINS:
        assert "b2a" not in recipe.render({"a": given["a"]})
        assert torch.allclose(recipe.render({"a": given["a"]})["a2b"], made["a2b"], atol=1e-6)


@every
def test_the_schedule_is_a_factor_that_depends_on_the_clock_alone(name: str) -> None:
    recipe = build(name)
    factors = [recipe.schedule(Clock(step, 1000)) for step in range(0, 1000, 50)]
    assert factors[0] == 1.0
    assert all(0.0 <= later <= earlier for earlier, later in pairwise(factors))
    trained(recipe, LoopConfig(1))
    assert factors == [recipe.schedule(Clock(step, 1000)) for step in range(0, 1000, 50)]


@every
def test_bf16_trains(name: str) -> None:
    _, ticks = trained(build(name), LoopConfig(1, precision=Precision("bf16")))
    assert all(loss == loss for loss in ticks[0][1].values())


@every
def test_the_adversarial_weight_is_of_all_that_discriminators_learn_from_and_of_no_other_loss(name: str) -> None:
    def losses(weight: float) -> dict[str, torch.Tensor]:
        updates = build(name, adversarial_weight=weight, r1_weight=1.0).step(batches(0), MIDDLE)
        return {f"{update.optimizer}/{key}": loss for update in updates for key, loss in update.losses.items()}

    once, thrice = losses(1.0), losses(3.0)
    assert once.keys() == thrice.keys()
    for key, loss in once.items():
        factor = 3.0 if key.startswith(("D/", "G/gan")) else 1.0
        assert thrice[key].item() == pytest.approx(factor * loss.item(), rel=1e-5), key


def test_there_is_a_small_one_of_every_recipe() -> None:
    assert {name.partition(" ")[0] for name in SMALL} == set(RECIPES)


def test_a_key_of_several_recipes_is_of_one_type() -> None:
    seen: dict[str, Any] = {}
    for name in RECIPES:
        info: Any = msgspec.inspect.type_info(model_section(name))
        for field in info.fields:
            parts = getattr(field.type, "types", [field.type])  # of one that may be null: what it is else
            [part] = [part for part in parts if not isinstance(part, msgspec.inspect.NoneType)]
            kind = sorted(part.values) if hasattr(part, "values") else type(part)
            assert seen.setdefault(field.name, kind) == kind, f"{name}: {field.name}"
