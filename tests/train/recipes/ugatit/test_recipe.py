"""U-GAT-IT's recipe: its losses against the formulas, its order, its schedule, its pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock, Update
from curate.train.recipes.ugatit.attention_unet import AttentionUNet
from curate.train.recipes.ugatit.config import UGATITConfig
from curate.train.recipes.ugatit.networks import AttentionDiscriminator
from curate.train.recipes.ugatit.palette import INK, WHITE, Palette
from curate.train.recipes.ugatit.recipe import UGATIT, overlay
from tests.support.training import whole

torch.set_num_threads(1)

SMALL = {"size": 32, "width": 4, "blocks": 1}


def build(**keys: object) -> UGATIT:
    torch.manual_seed(0)
    recipe = UGATIT(UGATITConfig(**{**SMALL, **keys}))  # type: ignore[arg-type]
    with torch.no_grad():  # the first weights hide errors: zero biases, rho at its bounds
        for parameter in recipe.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return recipe


def batch(count: int = 1, side: int = 32) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {key: torch.rand(count, 3, side, side) * 2 - 1 for key in "ab"}


def stepped(recipe: UGATIT, updates: Iterator[Update]) -> Update:
    """The next update, after which its optimiser has stepped."""
    update = whole(updates)
    optimizer = recipe.optimizers[update.optimizer]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    torch.stack(list(update.losses.values())).sum().backward(inputs=parameters)
    optimizer.step()
    return update


def generators(recipe: UGATIT, images: dict[str, Tensor]) -> Update:
    """The generators' update of the first step, whose discriminators' went before."""
    updates = recipe.step(images, Clock(0, 10))
    whole(updates)
    return whole(updates)


def squared(values: Tensor, target: float) -> Tensor:
    return (values - target).square().mean()


def entropy(logits: Tensor, target: float) -> Tensor:
    share = torch.sigmoid(logits)
    return -(target * share.log() + (1 - target) * (1 - share).log()).mean()


def test_the_discriminators_losses_are_the_formulas() -> None:
    recipe, images = build(), batch()
    recipe.eval()  # spectral norm stands still, so that the networks can be asked again
    losses = whole(recipe.step(images, Clock(0, 10))).losses
    assert set(losses) == {"d_a_global", "d_a_local", "d_b_global", "d_b_local"}
    made = {"a": recipe.g_b2a(images["b"]).out, "b": recipe.g_a2b(images["a"]).out}
    for name, loss in losses.items():
        real, fake = (getattr(recipe, name)(x) for x in (images[name[2]], made[name[2]]))
        wanted = squared(real.out, 1) + squared(fake.out, 0) + squared(real.cam, 1) + squared(fake.cam, 0)
        torch.testing.assert_close(loss, wanted, rtol=1e-5, atol=0)


def test_the_generators_losses_are_the_formulas() -> None:
    recipe, images = build(adversarial_weight=2.0, cycle_weight=3.0, identity_weight=5.0, cam_weight=7.0), batch()
    recipe.eval()
    updates = recipe.step(images, Clock(0, 10))
    whole(updates)
    losses = whole(updates).losses
    a, b = images["a"], images["b"]
    for name, source, target, there, back in (
        ("a2b", a, b, recipe.g_a2b, recipe.g_b2a),
        ("b2a", b, a, recipe.g_b2a, recipe.g_a2b),
    ):
        fake, same = there(source), there(target)
        on_fake = [getattr(recipe, f"d_{name[2]}_{view}")(fake.out) for view in ("global", "local")]
        wanted = {
            f"gan_{name}": 2 * sum(squared(seen.out, 1) + squared(seen.cam, 1) for seen in on_fake),
            f"cycle_{name[0]}": 3 * (back(fake.out).out - source).abs().mean(),
            f"identity_{name[2]}": 5 * (same.out - target).abs().mean(),
            f"cam_{name}": 7 * entropy(fake.cam, 1.0),
            f"cam_{name[2]}": 7 * entropy(same.cam, 0.0),
        }
        for key, value in wanted.items():
            torch.testing.assert_close(losses[key], value, rtol=1e-4, atol=1e-6)
    assert len(losses) == 10


def test_fakes_are_made_once_and_reach_the_generators_through_their_own_losses_alone() -> None:
    recipe, images = build(), batch()
    calls = []
    recipe.g_a2b.register_forward_hook(lambda *_: calls.append("a2b"))
    updates = recipe.step(images, Clock(0, 10))
    stepped(recipe, updates)
    assert all(p.grad is None for p in (*recipe.g_a2b.parameters(), *recipe.g_b2a.parameters()))
    before = [p.grad.clone() for p in recipe.d_a_global.parameters()]
    stepped(recipe, updates)
    assert all(torch.equal(p.grad, kept) for p, kept in zip(recipe.d_a_global.parameters(), before, strict=True))
    assert len(calls) == 2  # the source; and identity and the way back in one call


def test_the_generators_meet_the_discriminators_as_they_are_after_their_update() -> None:
    recipe, images = build(), batch()
    recipe.optimizers["D"].param_groups[0]["lr"] = 0.1
    updates = recipe.step(images, Clock(0, 10))
    fake = recipe.g_a2b(images["a"]).out
    stepped(recipe, updates)
    recipe.eval()
    losses = whole(updates).losses
    wanted = sum(
        squared(seen.out, 1) + squared(seen.cam, 1)
        for d in (recipe.d_b_global, recipe.d_b_local)
        for seen in (d(fake),)
    )
    torch.testing.assert_close(losses["gan_a2b"], wanted, rtol=1e-4, atol=1e-6)


def test_each_discriminator_takes_three_power_iterations_a_step() -> None:
    recipe = build()
    seen = []
    for name in ("d_a_global", "d_a_local", "d_b_global", "d_b_local"):
        judge: AttentionDiscriminator = getattr(recipe, name)
        judge.register_forward_hook(lambda *_, name=name: seen.append(name))
    for update in (updates := recipe.step(batch(), Clock(0, 10))):
        assert update.losses
    del updates
    assert {name: seen.count(name) for name in seen} == dict.fromkeys(seen, 3)


def test_rho_is_back_in_its_bounds_after_a_step() -> None:
    recipe = build()
    recipe.optimizers["G"].param_groups[0]["lr"] = 2.0
    updates = recipe.step(batch(), Clock(0, 10))
    stepped(recipe, updates)
    stepped(recipe, updates)
    rhos = [value for name, value in recipe.named_parameters() if name.endswith("rho")]
    assert any(((rho < 0) | (rho > 1)).any() for rho in rhos)
    assert next(updates, None) is None
    assert all(((rho >= 0) & (rho <= 1)).all() for rho in rhos)


def test_weights_decay_through_the_gradient() -> None:
    for optimizer in build().optimizers.values():
        assert type(optimizer) is torch.optim.Adam  # not AdamW
        assert optimizer.defaults["weight_decay"] == 1e-4
        assert optimizer.defaults["betas"] == (0.5, 0.999)


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (499, 1.0), (500, 1 - 1 / 500), (749, 0.5), (999, 0.0)])
def test_the_learning_rate_falls_in_the_second_half(step: int, factor: float) -> None:
    assert build().schedule(Clock(step, 1000)) == pytest.approx(factor)


@pytest.mark.parametrize("total", [1, 2, 7])
def test_the_learning_rate_of_short_and_odd_runs_never_turns_negative(total: int) -> None:
    factors = [build().schedule(Clock(step, total)) for step in range(total)]
    assert min(factors) >= 0
    assert factors == sorted(factors, reverse=True)


def test_pictures_come_with_their_attention() -> None:
    recipe, images = build(), batch(2)
    made = recipe.render(images)
    assert set(made) == {"a2b", "a2b_attention", "b2a", "b2a_attention"}
    for picture in made.values():
        assert picture.shape == (2, 3, 32, 32)
        assert picture.abs().max() <= 1
        assert not picture.requires_grad
    assert set(recipe.render({"b": images["b"]})) == {"b2a", "b2a_attention"}


def test_attention_is_red_where_it_is_highest_and_blue_where_it_is_lowest() -> None:
    heatmap = torch.tensor([[3.0, 5.0], [5.0, 7.0]]).reshape(1, 1, 2, 2)
    drawn = overlay(torch.zeros(1, 3, 8, 8), heatmap) * 2  # images of 0 leave the colours at one half
    assert drawn[0, :, 0, 0].tolist() == [-1.0, -1.0, 0.0]
    assert drawn[0, :, 7, 7].tolist() == [0.0, -1.0, -1.0]
    assert drawn[0, 1, 3, 4] > 0.9  # halfway: green
    assert torch.isfinite(overlay(torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 2, 2))).all()


def test_small_images_get_smaller_discriminators() -> None:
    assert build().d_a_global.layers == 5
    assert build(size=256, width=1).d_a_global.layers == 7
    assert build(size=256, width=1).d_a_local.layers == 5


def test_discriminators_too_deep_for_the_images_are_refused() -> None:
    with pytest.raises(UsageError, match="images of 32 px: a discriminator of 7 layers needs more, 5 layers fit"):
        next(build(global_layers=7).step(batch(), Clock(0, 10)))


def test_only_the_full_generator_refuses_images_of_another_size() -> None:
    next(build(light=True).step(batch(side=48), Clock(0, 10)))
    with pytest.raises(UsageError, match="images of 48 px, but the full generator was made for 32 px alone"):
        next(build().step(batch(side=48), Clock(0, 10)))


def test_normal_first_weights() -> None:
    torch.manual_seed(0)
    recipe = UGATIT(UGATITConfig(**SMALL, init="normal"))  # type: ignore[arg-type]
    assert recipe.g_a2b.down[5].weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert recipe.g_a2b.blocks[0].norm1.rho[0, 0].item() == pytest.approx(0.9)


def test_one_kind_of_discriminator_may_judge_alone() -> None:
    recipe, images = build(whole=False), batch()
    assert not [name for name, _ in recipe.named_children() if name.endswith("global")]
    recipe.eval()
    assert set(whole(recipe.step(images, Clock(0, 10))).losses) == {"d_a_local", "d_b_local"}
    assert {"gan_a2b", "gan_b2a"} <= set(generators(recipe, images).losses)


def test_discriminators_have_a_width_and_a_rate_of_their_own() -> None:
    recipe = build(discriminator_width=2, discriminator_lr=0.5)
    assert recipe.d_a_local.body[1].out_channels == 2
    assert [recipe.optimizers[name].param_groups[0]["lr"] for name in "GD"] == [1e-4, 0.5]


@pytest.mark.parametrize("backbone", ["resnet", "unet"])
def test_a_masked_generator_leaves_alone_what_its_mask_does(backbone: str) -> None:
    recipe, images = build(generator="masked", backbone=backbone, light=True), batch(2)
    made = recipe.render(images)
    for way, source in (("a2b", "a"), ("b2a", "b")):
        mask, paint = made[f"{way}_mask"], made[f"{way}_paint"]
        assert mask.shape == (2, 1, 32, 32) and 0 <= mask.min() < mask.max() <= 1
        assert torch.allclose(made[way], images[source] * (1 - mask) + paint * mask, atol=1e-6)
        assert f"{way}_attention" in made


def test_masks_have_their_losses_and_their_size_is_logged() -> None:
    images = batch()
    plain = generators(build(), images)
    masked = generators(build(generator="masked", mask_weight=0.3), images)
    assert set(masked.losses) - set(plain.losses) == {"mask_a2b", "mask_b2a"}
    assert masked.losses["mask_a2b"].item() == pytest.approx(0.3 * masked.seen["mask_a2b"].item())


def test_noise_before_the_way_back_changes_the_cycle_alone() -> None:
    images = batch()
    losses = [generators(build(cycle_noise=noise), images).losses for noise in (0.0, 0.5)]
    differ = {key for key in losses[0] if not torch.equal(losses[0][key], losses[1][key])}
    assert differ == {"cycle_a", "cycle_b"}


@pytest.mark.parametrize("side", [32, 46])
def test_the_cheap_generator_begins_with_colours_of_the_image_and_takes_any_size(side: int) -> None:
    torch.manual_seed(0)
    images = torch.rand(1, 3, side, side) * 0.2 + torch.tensor([0.5, -0.2, 0.1])[:, None, None]
    made = AttentionUNet(4, 1)(images)
    assert made.out.shape == images.shape
    assert (made.out - images).abs().max() <= 0.2
    assert made.cam.shape == (1, 2)


def test_a_palette_paints_with_colours_of_the_image_ink_and_white() -> None:
    torch.manual_seed(0)
    palette = Palette(5, 3)
    images = torch.where(torch.arange(32) < 16, 0.5, -0.5).expand(1, 3, 32, 32)  # two greys
    votes = torch.full((1, palette.size, 32, 32), -100.0)
    for place, colour in enumerate(range(palette.size)):
        votes[:, colour, place] = 100.0
    made = palette(votes, torch.randn(1, 5, 8, 8), images)[0, :, : palette.size]
    assert made.shape == (3, 5, 32) and (made.var(2, correction=0) < 1e-9).all(), "flat"
    assert made[:, :3].abs().max() <= 0.5, "no colour that the image has not"
    assert torch.allclose(made[:, 3:, 0], torch.tensor([INK, WHITE]).T, atol=1e-6)


def test_colours_of_places_may_be_held() -> None:
    images = batch()
    free, held = (generators(build(colour_weight=weight), images).losses for weight in (0.0, 2.0))
    assert set(held) - set(free) == {"colour_a2b", "colour_b2a"}
    with torch.no_grad():
        made = build(colour_weight=2.0).g_a2b(images["a"]).out
    coarse = [F.avg_pool2d(one, 4) for one in (made, images["a"])]  # 32 px: 8 cells each way
    assert held["colour_a2b"].item() == pytest.approx(2 * (coarse[0] - coarse[1]).abs().mean().item(), rel=1e-5)


def test_a_palette_makes_another_network_of_the_cheap_one() -> None:
    recipe = build(backbone="unet", palette=3)
    made = recipe.render(batch())
    assert made["a2b"].shape == (1, 3, 32, 32) and made["a2b"].abs().max() <= 1
    assert not [name for name, _ in recipe.named_parameters() if "colours" in name]
