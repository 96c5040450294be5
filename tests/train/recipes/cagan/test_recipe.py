"""CAGAN's formulas against numpy, and what makes it CAGAN: the mask, the third term, the way back."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.recipe import CAGAN, try_on
from tests.support import cagan_numpy

torch.set_num_threads(1)

CLOCK = Clock(0, 10)
SIZES = {"chainer": (64, 64), "keras": (64, 48), "modern": (32, 32)}


def small(variant: str, **given: object) -> CAGAN:
    torch.manual_seed(3)
    return CAGAN(parse(CAGANConfig, {"variant": variant, "width": 4, "size": 64, **given}, "model"))


def batch(variant: str, n: int = 2) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(4)
    return {key: torch.rand(n, 3, *SIZES[variant], generator=rng) * 2 - 1 for key in ("human", "article", "other")}


def terms(recipe: CAGAN, images: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The losses of one step in which no weight moves."""
    return {update.optimizer: dict(update.losses) for update in recipe.step(images, CLOCK)}


def arrays(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("variant", ["chainer", "keras"])
def test_losses_agree_with_numpy(variant: str) -> None:
    recipe = small(variant, noise=0.0)
    with torch.no_grad():
        for parameter in recipe.parameters():  # away from zero biases and equal scales
            parameter += torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 0.1)
    images = batch(variant)
    made = terms(recipe, images)
    human, worn, wanted = (images[key].double().numpy() for key in ("human", "article", "other"))
    if variant == "chainer":
        human, worn, wanted = ((image + 1) / 2 for image in (human, worn, wanted))
    expected = cagan_numpy.losses(variant, arrays(recipe.generator), arrays(recipe.discriminator), human, worn, wanted)
    assert {f"{o}/{name}" for o, losses in made.items() for name in losses} == expected.keys()
    for name, value in expected.items():
        optimizer, _, loss = name.partition("/")
        assert made[optimizer][loss].item() == pytest.approx(value, rel=1e-5), name


def test_the_discriminator_goes_first_and_the_generator_sees_it_changed() -> None:
    recipe, images = small("modern", ema=0.0), batch("modern")
    still = terms(copy.deepcopy(recipe), images)
    updates = recipe.step(images, CLOCK)
    assert next(updates).optimizer == "D"
    with torch.no_grad():
        for parameter in recipe.discriminator.parameters():
            parameter.add_(0.1)
    second = next(updates)
    assert second.optimizer == "G"
    assert not torch.equal(second.losses["gan"], still["G"]["gan"])
    assert torch.equal(second.losses["cycle"], still["G"]["cycle"])


def test_the_discriminators_loss_reaches_no_generator_and_the_other_way_round() -> None:
    recipe = small("modern", ema=0.0)
    for update in recipe.step(batch("modern"), CLOCK):
        total = torch.stack(list(update.losses.values())).sum()
        parameters = list(recipe.generator.parameters())
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        assert all((gradient is None) == (update.optimizer == "D") for gradient in gradients)


def test_where_the_mask_is_shut_the_person_stays_bit_for_bit() -> None:
    human, worn, wanted = (torch.rand(1, 3, 16, 16) for _ in range(3))
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1.0
    paint = torch.rand(1, 3, 16, 16)
    swapped, alpha = try_on(lambda _: (mask, paint), human, worn, wanted)  # type: ignore[arg-type]
    assert torch.equal(swapped[..., :8], paint[..., :8])
    assert torch.equal(swapped[..., 8:], human[..., 8:])
    assert alpha is mask


def test_the_way_back_wears_the_articles_the_other_way_round_and_paints_on_the_swapped_person() -> None:
    recipe, images = small("modern", ema=0.0, identity_weight=0.0), batch("modern")
    seen: list[Tensor] = []
    recipe.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    list(recipe.step(images, CLOCK))
    there, back = seen
    swapped, _ = try_on(recipe.generator, images["human"], images["article"], images["other"])
    assert torch.equal(there, torch.cat([images["human"], images["article"], images["other"]], 1))
    assert torch.equal(back, torch.cat([swapped.detach(), images["other"], images["article"]], 1))


@pytest.mark.parametrize("variant", SIZES)
def test_render_gives_pictures_in_range(variant: str) -> None:
    recipe, images = small(variant), batch(variant)
    made = recipe.render(images)
    assert made.keys() == {"swapped", "alpha"}
    for picture in made.values():
        assert picture.shape == images["human"].shape
        assert picture.min() >= -1 and picture.max() <= 1
        assert not picture.requires_grad


def test_how_much_is_painted_is_watched() -> None:
    recipe, images = small("modern"), batch("modern")
    _, update = recipe.step(images, CLOCK)
    alpha = (recipe.render({**images})["alpha"] + 1) / 2  # the average is still the generator itself
    assert update.seen["mask"].item() == pytest.approx(alpha.mean().item(), rel=1e-5)
    assert update.seen["painted"].item() == pytest.approx((alpha > 0.5).float().mean().item())
    assert update.losses["mask"].item() == pytest.approx(0.1 * alpha.mean().item(), rel=1e-5)


def test_variants_bring_their_own_constants() -> None:
    article = parse(CAGANConfig, {"variant": "chainer"}, "model")
    assert (article.identity_weight, article.adversarial, article.ema, article.cycle_weight, article.mask_weight) == (
        0.0,
        "bce",
        0.0,
        1.0,
        0.1,
    )
    assert parse(CAGANConfig, {"variant": "chainer", "ema": 0.99}, "model").ema == 0.99
    assert parse(CAGANConfig, {}, "model") == article
    modern = parse(CAGANConfig, {"variant": "modern"}, "model")
    assert (modern.identity_weight, modern.adversarial, modern.ema) == (1.0, "lsgan", 0.999)


@pytest.mark.parametrize(
    ("keys", "side", "message"),
    [
        ({"variant": "modern"}, (40, 40), "data.size: 40 x 40"),
        ({"variant": "chainer"}, (96, 96), "96 x 96 px, but chainer"),
        ({"variant": "chainer"}, (64, 48), "64 x 48 px, but chainer"),
        ({"variant": "chainer", "size": 48}, (48, 48), "model.size: 48"),
        ({"variant": "chainer", "upsampling": "nearest"}, (64, 64), "model.upsampling"),
    ],
)
def test_sizes_and_options_that_do_not_fit_are_refused(
    keys: dict[str, str], side: tuple[int, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        terms(small(**keys), {key: torch.zeros(1, 3, *side) for key in ("human", "article", "other")})


def test_a_person_and_the_article_beside_get_one_tint() -> None:
    recipe = small("keras", tint=1.0)
    seen: list[Tensor] = []
    recipe.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    grey = {key: torch.zeros(2, 3, 64, 48) for key in ("human", "article", "other")}
    list(recipe.step(grey, CLOCK))
    human, article = seen[0].chunk(2, 1)
    assert torch.equal(human, article), "both were grey, and both have become the same other grey"
    assert human.abs().max() > 0 and not torch.equal(human[0], human[1])


def test_r1_is_the_gradient_on_real_pairs_alone() -> None:
    recipe = small("modern", r1_weight=2.0)
    made = terms(recipe, batch("modern"))["D"]
    assert made.keys() == {"real", "swapped", "wrong", "r1"}
    assert made["r1"] > 0
    assert made["r1"].item() == pytest.approx(
        2 * terms(small("modern", r1_weight=1.0), batch("modern"))["D"]["r1"].item(), rel=1e-4
    )
