"""CycleGAN with generators that paint through a mask: losses by hand, what it draws, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock
from curate.train.engine.rng import BatchSlice, using_batch_slice
from curate.train.networks.masked import Painted
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN
from curate.train.trainer.previews import translation_grid
from tests.support.training import whole

torch.set_num_threads(1)

SMALL = {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 2, "pool": 0}


HALF_WAY = Clock(5, 10)


class Paints(nn.Module):
    """Paints a number through a mask that lets `share` of it through, more at the right by `slope`."""

    def __init__(self, number: float, share: float, slope: float = 0.0) -> None:
        super().__init__()
        self.number, self.share, self.slope = nn.Parameter(torch.tensor(number)), share, slope

    def forward(self, images: Tensor) -> Painted:
        mask = self.share + self.slope * torch.arange(images.shape[3]).expand(len(images), 1, images.shape[2], -1)
        paint = self.number.expand_as(images)
        return Painted(torch.lerp(images, paint, mask), mask, paint)


def built(**keys: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(parse(CycleGANConfig, {**SMALL, "generator": "masked", **keys}, "model"))


def images(value: float = 0.2, side: int = 32) -> dict[str, Tensor]:
    return {"a": torch.full((1, 3, side, side), value), "b": torch.full((1, 3, side, side), -value)}


def losses(recipe: CycleGAN, clock: Clock = HALF_WAY) -> dict[str, float]:
    found = whole(recipe.step(images(), clock)).losses
    return {name: loss.item() for name, loss in found.items() if name.startswith("mask") and name.endswith("a2b")}


def test_the_losses_of_a_mask_are_those_of_the_formulas() -> None:
    weights = {"mask_weight": 2.0, "mask_smooth_weight": 3.0, "mask_decided_weight": 5.0, "mask_back_weight": 7.0}
    recipe = built(**weights)
    recipe.g_a2b, recipe.g_b2a = Paints(0.5, 0.25, 0.01), Paints(0.1, 0.5)  # type: ignore[assignment]
    mask = 0.25 + 0.01 * torch.arange(32)
    expected = {
        "mask_a2b": 2.0 * mask.mean().item(),
        "mask_smooth_a2b": 3.0 * 0.01,
        "mask_decided_a2b": 5.0 * (4 * mask * (1 - mask)).mean().item(),
        "mask_back_a2b": 7.0 * (mask - 0.5).abs().mean().item(),
    }
    assert losses(recipe) == pytest.approx(expected, rel=1e-4)


def test_they_warm_up() -> None:
    recipe = built(mask_warmup=0.8)
    recipe.g_a2b = Paints(0.5, 0.25)  # type: ignore[assignment]
    assert losses(recipe, Clock(2, 10)) == pytest.approx({"mask_a2b": 0.1 * 0.25 * 0.25})
    assert losses(recipe, Clock(9, 10)) == pytest.approx({"mask_a2b": 0.1 * 0.25})


def test_a_plain_generator_has_none_of_them() -> None:
    assert losses(built(generator="plain", mask_weight=1.0, mask_back_weight=1.0)) == {}


def test_what_a_run_logs_is_the_mean_of_each_mask() -> None:
    recipe = built()
    recipe.g_a2b, recipe.g_b2a = Paints(0.5, 0.25), Paints(0.1, 0.75)  # type: ignore[assignment]
    seen = {name: value.item() for update in recipe.step(images(), Clock(0, 10)) for name, value in update.seen.items()}
    assert seen["mask_a2b"] == pytest.approx(0.25)
    assert seen["mask_b2a"] == pytest.approx(0.75)


def test_render_gives_mask_and_paint_of_what_it_is_asked_for() -> None:
    recipe = built(backbone="unet")
    a = torch.rand(2, 3, 32, 32) * 2 - 1
    made = recipe.render({"a": a})
    assert set(made) == {"a2b", "a2b_mask", "a2b_paint"}
    assert made["a2b_mask"].shape == (2, 1, 32, 32)
    assert torch.allclose(made["a2b"], a * (1 - made["a2b_mask"]) + made["a2b_paint"] * made["a2b_mask"], atol=1e-6)


def test_samples_show_the_masks() -> None:
    plain, masked = (translation_grid(built(generator=kind), images()) for kind in ("plain", "masked"))
    assert masked.shape[1] == plain.shape[1] + 2 * 36  # two columns of 32 px and their frames


def test_the_noise_of_an_image_is_its_own_however_the_step_is_divided() -> None:
    sent = []

    class Listening(Paints):
        def forward(self, images: Tensor) -> Painted:
            sent.append(images.detach()[:1])
            return super().forward(images)

    recipe = built(cycle_noise=0.2)
    recipe.g_b2a = Listening(0.1, 0.5)  # type: ignore[assignment]
    batch = {key: part.expand(2, -1, -1, -1) for key, part in images().items()}
    torch.manual_seed(7)
    next(recipe.step(batch, Clock(0, 10)))
    torch.manual_seed(7)
    with using_batch_slice(BatchSlice(part=0, parts=2)):
        next(recipe.step(images(), Clock(0, 10)))
    assert torch.allclose(sent[0], sent[1], atol=1e-6)
    assert sent[0].std() > 0.1


@pytest.mark.parametrize("keys", [{"generator": "masked"}, {"generator": "plain", "backbone": "unet"}])
def test_a_face_branch_goes_with_the_plain_resnet_alone(keys: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"face_branch"):
        built(face_branch=True, **keys)


def test_the_preset_best_paints_through_masks_and_two_of_its_generators_fit_into_2_mb() -> None:
    config = parse(CycleGANConfig, {"preset": "best"}, "model")
    assert (config.generator, config.backbone, config.cycle_noise) == ("masked", "unet", 0.15)
    recipe = CycleGAN(config)
    assert sum(p.numel() for network in (recipe.g_a2b, recipe.g_b2a) for p in network.parameters()) <= 960_000


def test_at_first_the_paint_alone_learns_to_fill_in_the_domain_that_it_makes() -> None:
    recipe = built(pretrain=0.5, cycle_weight=2.0)
    recipe.g_a2b, recipe.g_b2a = Paints(0.5, 0.25), Paints(0.1, 0.5)  # type: ignore[assignment]
    (first, second) = recipe.step(images(), Clock(4, 10))
    assert (first.optimizer, first.more, second.more) == ("G", True, False)
    found = {**first.losses, **second.losses}
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(
        {"inpaint_a2b": 2.0 * (0.5 + 0.2), "inpaint_b2a": 2.0 * (0.2 - 0.1)}
    )


def test_then_weights_rise_from_nothing() -> None:
    recipe = built(pretrain=0.5, mask_warmup=0.4)
    recipe.g_a2b = Paints(0.5, 0.25)  # type: ignore[assignment]
    assert losses(recipe, Clock(5, 10)) == {"mask_a2b": 0.0}
    assert losses(recipe, Clock(6, 10)) == pytest.approx({"mask_a2b": 0.5 * 0.1 * 0.25})
