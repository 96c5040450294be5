"""Council-GAN's recipe: its losses against the formulas, who sees whom, loss matching, members and styles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock, Update
from curate.train.recipes.council.config import CouncilConfig
from curate.train.recipes.council.recipe import Council

torch.set_num_threads(1)

SMALL = {"members": 3, "width": 4, "blocks": 1, "style": 4, "hidden": 4, "council_start": 0}
OTHERS = torch.tensor([[1, 2, 2, 1], [0, 2, 0, 0], [1, 0, 1, 0]])


def build(**keys: object) -> Council:
    torch.manual_seed(0)
    recipe = Council(CouncilConfig(**{**SMALL, **keys}))  # type: ignore[arg-type]
    with torch.no_grad():  # first weights hide errors: biases of 0
        for parameter in recipe.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return recipe


def batch(count: int = 2, side: int = 32) -> dict[str, Tensor]:
    torch.manual_seed(1)
    images = {key: torch.rand(count, 3, side, side) * 2 - 1 for key in "ab"}
    return {**images, "z": torch.randn(count, 3, 4), "others": OTHERS}


def squared(maps: list[Tensor], target: float) -> Tensor:
    return torch.stack([(scores - target).square().mean() for scores in maps]).sum()


def losses(recipe: Council, images: dict[str, Tensor], step: int = 0) -> dict[str, Tensor]:
    """All losses of a step in which nothing is learnt."""
    updates: list[Update] = list(recipe.step(images, Clock(step, 10)))
    assert [u.optimizer for u in updates if not u.more] == [
        n for n in ("D", "C", "G") if n in {u.optimizer for u in updates}
    ]
    return {f"{u.optimizer}/{name}": loss for u in updates for name, loss in u.losses.items()}


@pytest.mark.parametrize(("direction", "weight"), [("a2b", 26.0), ("b2a", 1.0)])
def test_losses_are_the_formulas(direction: str, weight: float) -> None:
    recipe: Any = build(direction=direction)
    images = batch()
    found = losses(recipe, images)
    source, target = images[direction[0]], images[direction[2]]
    z = images["z"].unbind(1)
    members = [recipe.g_0, recipe.g_1, recipe.g_2]
    for n, (g, d, dc) in enumerate(
        zip(members, (recipe.d_0, recipe.d_1, recipe.d_2), (recipe.dc_0, recipe.dc_1, recipe.dc_2), strict=True)
    ):
        wanted = squared(d(g(source, z[0]).image), 0) + squared(d(target), 1)
        torch.testing.assert_close(found[f"D/d_{n}"], weight * wanted)
        own = squared(dc(torch.cat((g(source, z[1]).image, source), 1)), 0)
        less = [squared(dc(torch.cat((m(source, 0.7 * z[1]).image, source), 1)), 1) for m in members]
        council = torch.stack([own + less[m] for m in OTHERS[n].tolist()]).sum() / 4
        torch.testing.assert_close(found[f"C/council_{n}"], 6 * council)
        made = g(source, z[2]).image
        gan, agree = squared(d(made), 1), squared(dc(torch.cat((made, source), 1)), 1)
        torch.testing.assert_close(found[f"G/gan_{n}"], 26 * gan)
        matched = (99 + gan) / (99 + agree)
        torch.testing.assert_close(found[f"G/council_{n}"], 6 * matched * agree)


def test_loss_matching_forgets_what_is_older_than_its_steps() -> None:
    recipe = build(loss_matching_steps=2)
    for step in range(3):
        found = losses(recipe, batch(), step)
    gan, council = found["G/gan_0"] / 26, found["G/council_0"] / 6  # the same in every step: nothing was learnt
    torch.testing.assert_close(recipe.gan_losses[0], gan.expand(2))
    torch.testing.assert_close(council, gan)  # each is its own mean
    plain = losses(build(loss_matching=False), batch())["G/council_0"]
    torch.testing.assert_close(plain, 6 * recipe.council_losses[0, 0])


def test_the_council_meets_from_its_start_on() -> None:
    recipe = build(council_start=5)
    assert not [name for name in losses(recipe, batch(), 4) if "council" in name]
    assert torch.equal(recipe.council_losses, torch.ones(3, 100))
    assert len([name for name in losses(recipe, batch(), 5) if "council" in name]) == 6


def test_masks_are_kept_small_smooth_and_decided() -> None:
    keys = {
        "mask_decided_weight": 2.0,
        "mask_weight": 3.0,
        "mask_smooth_weight": 5.0,
        "mask_start": 0,
        "direction": "a2b",
    }
    recipe: Any = build(**keys)
    images = batch()
    assert not [name for name in losses(recipe, images, 0) if "mask" in name]  # only after it (code)
    found, masks = losses(recipe, images, 1), recipe.g_1(images["a"], images["z"][:, 2]).masks
    assert masks.shape[1] == 3
    torch.testing.assert_close(found["G/mask_decided_1"], 2 * (1 / ((masks - 0.5).abs() + 0.01)).mean())
    torch.testing.assert_close(found["G/mask_1"], 3 * masks.mean() ** 2)
    down, across = (masks[:, :, 1:] - masks[:, :, :-1]).abs().sum(), (masks[..., 1:] - masks[..., :-1]).abs().sum()
    torch.testing.assert_close(found["G/mask_smooth_1"], 5 * (down + across) / masks.numel())


def test_who_is_seen_is_drawn_without_repeats_until_all_were_there() -> None:
    recipe = build(members=4, comparisons=4)
    torch.manual_seed(0)
    for _ in range(5):
        for n, shown in enumerate(recipe._draw()):
            assert len(shown) == 4
            assert set(shown[:3]) == set(range(4)) - {n}
            assert shown[3] in shown[:3]


def test_one_z_per_image_goes_to_all_members() -> None:
    recipe: Any = build()
    recipe.g_1.load_state_dict(recipe.g_0.state_dict())
    recipe.d_1.load_state_dict(recipe.d_0.state_dict())
    images = {key: value for key, value in batch().items() if key in "ab"}
    found = losses(recipe, images)
    assert torch.equal(found["D/d_0"], found["D/d_1"])
    assert torch.equal(found["G/gan_0"], found["G/gan_1"])
    again = losses(recipe, images)
    assert not torch.equal(found["D/d_0"], again["D/d_0"])  # the next step draws another


def test_what_is_logged_tells_of_members_that_agree_and_of_masks() -> None:
    recipe: Any = build(members=2)
    recipe.g_1.load_state_dict(recipe.g_0.state_dict())
    images = {**batch(), "others": torch.tensor([[1], [0]])}
    seen = {k: v for update in recipe.step(images, Clock(0, 10)) for k, v in update.seen.items()}
    assert set(seen) == {"distance"} | {f"{kind}_{n}" for kind in ("accuracy", "mask", "saturated") for n in range(2)}
    assert seen["distance"] == 0
    assert 0 < seen["mask_0"] < 1


def test_a_council_of_one_has_no_one_to_meet() -> None:
    recipe = build(members=1)
    assert set(recipe.optimizers) == {"D", "G"}
    assert set(losses(recipe, {k: v for k, v in batch().items() if k != "others"})) == {"D/d_0", "G/gan_0"}


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (99_999, 1.0), (100_000, 0.5), (250_000, 0.25)])
def test_the_learning_rate_is_halved_again_and_again(step: int, factor: float) -> None:
    assert build().schedule(Clock(step, 1_000_000)) == factor


def test_pictures_are_their_paint_seen_through_their_mask() -> None:
    recipe, images = build(), batch()
    made = recipe.render({"a": images["a"]})
    assert {name: tuple(part.shape) for name, part in made.items()} == {
        "a2b": (2, 3, 32, 32),
        "a2b_mask": (2, 1, 32, 32),
        "a2b_paint": (2, 3, 32, 32),
        "a2b_masks": (2, 3, 32, 32),
    }
    torch.testing.assert_close(
        torch.lerp(images["a"], made["a2b_paint"], made["a2b_mask"]), made["a2b"], atol=1e-5, rtol=0
    )
    assert recipe.render({"b": images["b"]}) == {}
    assert set(build(direction="b2a").render(images | {"z": images["z"][:, 0]})) >= {"b2a", "b2a_mask"}


def test_a_batch_says_which_member_paints_and_in_which_style() -> None:
    recipe: Any = build()
    images, z = batch()["a"], torch.randn(2, 4)
    made = recipe.render({"a": images, "z": z, "member": torch.tensor([2, 1])})["a2b"]
    torch.testing.assert_close(made[0], recipe.g_2(images, z).image[0])
    torch.testing.assert_close(made[1], recipe.g_1(images, z).image[1])
    assert torch.equal(recipe.render({"a": images, "z": z[:, :, None, None]})["a2b"], recipe.g_0(images, z).image)
    first, same, other = (recipe.render({"a": images, "style": torch.tensor([n])})["a2b"] for n in (0, 0, 1))
    assert torch.equal(first, same)
    assert torch.equal(first, recipe.render({"a": images})["a2b"])
    assert not torch.equal(first, other)
    alone = recipe.render({"a": images[1:], "style": torch.tensor([1])})["a2b"]
    torch.testing.assert_close(alone, other[1:])  # a style doesn't depend on who else is there


def test_members_and_z_that_there_are_not_are_refused() -> None:
    recipe, images = build(), batch()["a"]
    with pytest.raises(UsageError, match="member 3: there are 0 to 2"):
        recipe.render({"a": images, "member": torch.tensor([3])})
    with pytest.raises(UsageError, match=r"z of shape \[2, 5\]: not 2 times 4 numbers"):
        recipe.render({"a": images, "z": torch.zeros(2, 5)})


def test_images_too_small_for_the_discriminators_are_refused() -> None:
    with pytest.raises(UsageError, match="16 px: the discriminators want 32"):
        CouncilConfig().check_images(16, 16)
