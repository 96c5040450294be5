"""Losses against their formulas, and what happens at which step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock, Update
from curate.train.recipes.stylegan2.config import StyleGAN2Config
from curate.train.recipes.stylegan2.recipe import StyleGAN2

SMALL = {"size": 16, "z_dim": 4, "w_dim": 4, "channel_base": 64, "channel_max": 8, "style_mixing": 0.0, "ada_target": 0}


def build(**keys: Any) -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(parse(StyleGAN2Config, {**SMALL, **keys}, "model"))


def images(count: int = 4) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return {
        "a": torch.rand(count, 3, 16, 16, generator=rng) * 2 - 1,
        "z": torch.randn(count, 4, generator=rng),
        "noise": torch.tensor(1),
    }


def updates(recipe: StyleGAN2, batch: dict[str, Tensor], step: int = 0) -> list[Update]:
    return list(recipe.step(batch, Clock(step, 100)))


def names(found: list[Update]) -> list[str]:
    return [f"{update.optimizer}/{name}" for update in found for name in update.losses]


def test_regularisers_have_updates_of_their_own_every_few_steps() -> None:
    recipe = build(path_length_every=2, r1_every=3)
    main = ["G/gan", "D/fake", "D/real"]
    expected = {0: ["G/gan", "G/path_length", "D/fake", "D/real", "D/r1"], 1: main, 2: ["G/gan", "G/path_length"]}
    expected |= {2: [*expected[2], "D/fake", "D/real"], 3: [*main, "D/r1"]}
    assert {step: names(updates(recipe, images(), step)) for step in range(4)} == expected
    off = build(path_length_weight=0.0, r1_weight=0.0)
    assert names(updates(off, images())) == main
    assert off.optimizers["G"].param_groups[0]["lr"] == pytest.approx(0.0025)


def test_their_updates_count_for_adam() -> None:
    recipe = build()
    (g,), (d,) = (recipe.optimizers[name].param_groups for name in "GD")
    assert g["lr"] == pytest.approx(0.0025 * 4 / 5)
    assert d["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert g["betas"] == pytest.approx((0.0, 0.99 ** (4 / 5)))
    assert d["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))


def test_losses_are_those_of_the_papers() -> None:
    recipe, batch = build(r1_weight=5.0), images()
    generator, discriminator = recipe.generator, recipe.discriminator
    ws = generator.mapping(batch["z"])
    fake, real = generator.synthesis(ws, "const"), batch["a"].clone().requires_grad_()
    scores = discriminator(real)
    (gradient,) = torch.autograd.grad(scores.sum(), real)
    torch.manual_seed(5)
    found = {name: loss.item() for update in updates(recipe, batch) for name, loss in update.losses.items()}
    assert found["gan"] == pytest.approx(-discriminator(fake).sigmoid().log().mean().item(), rel=1e-5)
    assert found["real"] == pytest.approx(-scores.sigmoid().log().mean().item(), rel=1e-5)
    assert found["fake"] == pytest.approx(-(1 - discriminator(fake).sigmoid()).log().mean().item(), rel=1e-5)
    assert found["r1"] == pytest.approx(16 * 5.0 * gradient.square().sum((1, 2, 3)).mean().item(), rel=1e-5)

    torch.manual_seed(5)
    ws = generator.mapping(batch["z"][:2])  # half as many
    picture = generator.synthesis(ws, "const")
    direction = torch.randn_like(picture) / 16
    (step,) = torch.autograd.grad((picture * direction).sum(), ws)
    lengths = step.square().sum(2).mean(1).sqrt()
    mean = 0.01 * lengths.mean()
    assert recipe.path_length.item() == pytest.approx(mean.item(), rel=1e-5)
    assert found["path_length"] == pytest.approx(4 * 2 * (lengths - mean).square().mean().item(), rel=1e-4)


def test_gamma_follows_from_size_and_batch() -> None:
    batch = images()
    free, said = (build(r1_weight=weight) for weight in (None, 0.0001 * 16**2 / 4))
    losses = [updates(recipe, batch)[-1].losses["r1"].item() for recipe in (free, said)]
    assert losses[0] == pytest.approx(losses[1])


def test_the_average_follows_with_a_half_life_in_images() -> None:
    recipe, batch = build(ema_kimg=0.008, ema_ramp=0.5, path_length_weight=0.0, r1_weight=0.0), images()
    mine, theirs = recipe.average.network.get_parameter("mapping.fc0.weight"), recipe.generator.mapping.fc0.weight
    assert torch.equal(mine, theirs)
    for step, share in ((0, 1.0), (2, 1 - 0.5 ** (4 / 4)), (50, 1 - 0.5 ** (4 / 8))):  # at 2: half of 8 images
        theirs.data += 1.0
        before = (theirs - mine).mean().item()
        updates(recipe, batch, step)
        assert (theirs - mine).mean().item() == pytest.approx((1 - share) * before, abs=1e-5)
    assert torch.equal(recipe.average.network.get_buffer("mapping.w_avg"), recipe.generator.mapping.w_avg)


def test_two_zs_are_mixed_where_that_is_asked_for() -> None:
    recipe, batch = build(style_mixing=1.0), {"a": images()["a"]}
    torch.manual_seed(3)
    _, ws = recipe._generate(batch, 4)
    first = next(n for n in range(6) if not torch.equal(ws[:, n], ws[:, 0]))
    assert all(torch.equal(ws[:, n], ws[:, 0]) for n in range(first))
    assert all(torch.equal(ws[:, n], ws[:, 5]) for n in range(first, 6))


def test_nothing_is_drawn_that_the_batch_brings() -> None:
    batch = {**images(), "direction": torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))}
    losses = []
    for seed in range(2):
        recipe = build(style_mixing=1.0, ada_target=0.6)
        torch.manual_seed(seed)
        losses.append({name: loss.item() for update in updates(recipe, batch) for name, loss in update.losses.items()})
    assert losses[0] == losses[1]


def test_augmentation_is_seen_and_judged() -> None:
    recipe = build(ada_target=0.6)
    assert recipe.ada is not None
    recipe.ada.p.fill_(1.0)
    seen = [dict(update.seen) for update in updates(recipe, {"a": images()["a"]})]
    assert recipe.ada.judged.item() == 4
    assert any("ada" in scalars and "accuracy" in scalars for scalars in seen)


def test_render_takes_z_or_w() -> None:
    recipe, z = build(), images()["z"]
    recipe.average.network.mapping.w_avg.normal_()  # type: ignore[union-attr, operator]
    made = recipe.render({"z": z})
    assert made["image"].shape == (4, 3, 16, 16)
    assert made["w"].shape == (4, 6, 4)
    assert torch.equal(recipe.render({"w": made["w"]})["image"], made["image"])
    assert torch.equal(recipe.render({"w": made["w"][:, 0]})["image"], made["image"])
    near = recipe.render({"z": z, "psi": torch.tensor(0.5), "cutoff": torch.tensor(2)})["w"]
    assert torch.equal(near[:, 2:], made["w"][:, 2:])
    assert torch.allclose(near[:, 0], recipe.average.network.mapping.w_avg.lerp(made["w"][:, 0], 0.5), atol=1e-6)  # type: ignore[union-attr, operator]
    recipe.average.network.synthesis.b16.conv1.noise_strength.fill_(1.0)  # type: ignore[union-attr, operator]
    plain, stored, fresh = (recipe.render({"z": z, "noise": torch.tensor(kind)})["image"] for kind in range(3))
    assert torch.equal(stored, recipe.render({"z": z})["image"])
    assert not torch.equal(plain, stored)
    assert not torch.equal(fresh, recipe.render({"z": z, "noise": torch.tensor(2)})["image"])


def test_only_squares_of_a_power_of_two() -> None:
    config = StyleGAN2Config()
    config.check_images(64, 64)
    for height, width in ((64, 48), (96, 96), (4, 4)):
        with pytest.raises(UsageError, match="makes squares"):
            config.check_images(height, width)


def test_configurations_are_the_authors() -> None:
    paper = parse(StyleGAN2Config, {"cfg": "paper256", "size": 256}, "model")
    assert (paper.mapping_layers, paper.base, paper.r1_weight, paper.group_size) == (8, 16384, 0.5, 8)
    auto = parse(StyleGAN2Config, {"size": 512}, "model")
    assert (auto.mapping_layers, auto.base, auto.r1_weight) == (2, 32768, None)
    small = parse(StyleGAN2Config, {"cfg": "small", "size": 64}, "model")
    assert (small.base, small.channel_max, small.w_dim) == (16 * 64, 128, 128)
