"""CycleGAN's losses and schedule against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from curate.train.engine.contract import Clock
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.recipe import CycleGAN
from tests.support.training import whole

torch.set_num_threads(1)


class Plus(nn.Module):
    """A generator that adds a number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.tensor(number))

    def forward(self, images: Tensor) -> Tensor:
        return images + self.number


class Mean(nn.Module):
    """A discriminator whose score is the mean of the image, times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * images.mean(dim=(1, 2, 3), keepdim=True)


def by_hand(**keys: float) -> CycleGAN:
    """a2b adds 0.3, b2a takes 0.1; d_a is the mean, d_b twice the mean."""
    recipe = CycleGAN(CycleGANConfig(width=2, discriminator_width=2, blocks=1, discriminator_layers=1, pool=0, **keys))  # type: ignore[arg-type]
    recipe.g_a2b, recipe.g_b2a = Plus(0.3), Plus(-0.1)  # type: ignore[assignment]
    recipe.d_a, recipe.d_b = Mean(1.0), Mean(2.0)  # type: ignore[assignment]
    return recipe


def test_losses_are_those_of_the_formulas() -> None:
    batch = {"a": torch.full((1, 3, 4, 4), 0.2), "b": torch.full((1, 3, 4, 4), -0.4)}
    updates = by_hand().step(batch, Clock(0, 10))
    g, d = whole(updates), whole(updates)
    # fake_b = 0.5, fake_a = -0.5; back: 0.4 from a's 0.2, -0.2 from b's -0.4
    assert {name: loss.item() for name, loss in g.losses.items()} == pytest.approx(
        {
            "gan_a2b": (2 * 0.5 - 1) ** 2,
            "gan_b2a": (-0.5 - 1) ** 2,
            "cycle_a": 10 * 0.2,
            "cycle_b": 10 * 0.2,
            "identity_a": 5 * 0.1,  # b2a on a
            "identity_b": 5 * 0.3,  # a2b on b
        },
        rel=1e-5,
        abs=1e-6,
    )
    assert {name: loss.item() for name, loss in d.losses.items()} == pytest.approx(
        {
            "d_a": 0.5 * ((0.2 - 1) ** 2 + (-0.5) ** 2),
            "d_b": 0.5 * ((2 * -0.4 - 1) ** 2 + (2 * 0.5) ** 2),
        },
        rel=1e-5,
    )


def test_the_weights_are_where_the_paper_has_them() -> None:
    batch = {"a": torch.full((1, 3, 4, 4), 0.2), "b": torch.full((1, 3, 4, 4), -0.4)}
    g = whole(
        by_hand(cycle_weight=3.0, cycle_weight_b=7.0, identity_weight=0.3, identity_weight_b=0.7).step(
            batch, Clock(0, 10)
        )
    )
    assert g.losses["cycle_a"].item() == pytest.approx(3 * 0.2, rel=1e-5)
    assert g.losses["cycle_b"].item() == pytest.approx(7 * 0.2, rel=1e-5)
    assert g.losses["identity_a"].item() == pytest.approx(0.1 * 3 * 0.1, rel=1e-5)
    assert g.losses["identity_b"].item() == pytest.approx(0.1 * 7 * 0.3, rel=1e-5)
    without = whole(by_hand(identity_weight=0.0).step(batch, Clock(0, 10)))
    assert set(without.losses) == {"gan_a2b", "gan_b2a", "cycle_a", "cycle_b"}


def test_one_call_for_two_inputs_equals_two_calls() -> None:
    torch.manual_seed(0)
    recipe = CycleGAN(CycleGANConfig(width=4, discriminator_width=4, blocks=1, discriminator_layers=2))
    a, b = torch.rand(2, 1, 3, 32, 32) * 2 - 1
    losses = whole(recipe.step({"a": a, "b": b}, Clock(0, 10))).losses
    apart = 5.0 * (recipe.g_a2b(b) - b).abs().mean()
    assert losses["identity_b"].item() == pytest.approx(apart.item(), rel=1e-5)
    score = recipe.d_b(recipe.g_a2b(a))
    assert losses["gan_a2b"].item() == pytest.approx((score - 1).square().mean().item(), rel=1e-5)


@pytest.mark.parametrize(("epoch", "factor"), [(1, 1.0), (100, 1.0), (101, 100 / 101), (150, 51 / 101), (200, 1 / 101)])
def test_the_learning_rate_of_each_epoch(epoch: int, factor: float) -> None:
    recipe = CycleGAN(CycleGANConfig(width=2, discriminator_width=2, blocks=1, discriminator_layers=1))
    first, last = (epoch - 1) * 37, epoch * 37 - 1  # 37 steps an epoch
    assert recipe.schedule(Clock(first, 200 * 37)) == pytest.approx(factor)
    assert recipe.schedule(Clock(last, 200 * 37)) == pytest.approx(factor)


def test_the_full_size_networks_have_the_papers_parameters() -> None:
    recipe = CycleGAN(CycleGANConfig())
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in recipe.named_children()}
    assert counts["g_a2b"] == counts["g_b2a"] == 11_378_179
    assert counts["d_a"] == counts["d_b"] == 2_764_737
    rates = {name: (group["lr"], group["betas"]) for name, o in recipe.optimizers.items() for group in o.param_groups}
    assert rates == {"G": (2e-4, (0.5, 0.999)), "D": (2e-4, (0.5, 0.999))}
