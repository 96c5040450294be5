"""Adaptive discriminator augmentation: nothing at first, then as much as is needed; gradients pass through."""

from __future__ import annotations

import pytest
import torch

from curate.train.gan.ada import INTERVAL, AdaptiveAugment, Draws, colour_transform, inverse_transform
from curate.train.gan.warp import warp


def images(count: int = 64, side: int = 16) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, side, side, generator=rng) * 2 - 1


def at(p: float) -> AdaptiveAugment:
    made = AdaptiveAugment(0.6)
    made.p.fill_(p)
    torch.manual_seed(1)
    return made


def test_without_probability_nothing_changes() -> None:
    given = images()
    assert torch.allclose(at(0.0)(given), given, atol=1e-5)


def test_the_share_of_changed_images_follows_from_p() -> None:
    given = images(400, 8)
    changed = ((at(0.1)(given) - given).abs().amax((1, 2, 3)) > 1e-3).float().mean().item()
    # Nine kinds of change, each nothing with 0.9: two shifts, zoom, the two turns that share one p, stretch, four of
    # colours. Half of the mirror images, in space and in brightness, and a quarter of the quarter turns are none.
    untouched = 0.9**9 * (1 - 0.1 / 2) ** 2 * (1 - 0.1 * 0.75)
    assert changed == pytest.approx(1 - untouched, abs=0.06)


def test_every_image_changes_at_full_probability_and_stays_finite() -> None:
    given = images()
    made = at(1.0)(given)
    assert made.shape == given.shape
    assert made.isfinite().all()
    assert ((made - given).abs().mean((1, 2, 3)) > 0.05).all()


def test_gradients_pass_through() -> None:
    given = images(4).requires_grad_()
    at(0.8)(given).square().sum().backward()
    assert given.grad is not None
    assert (given.grad.abs().sum((1, 2, 3)) > 0).all()


def test_gradients_of_gradients_pass_through() -> None:
    """Against differences: R1 is of images before they are changed."""
    ada, along = at(0.9), torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))

    def penalty(given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        (gradient,) = torch.autograd.grad(ada(given).pow(3).sum(), given, create_graph=True)
        return gradient.square().sum()

    given = images(2).requires_grad_()
    penalty(given).backward()
    assert given.grad is not None
    ahead, behind = (penalty((given.detach() + step * along).requires_grad_()) for step in (1e-3, -1e-3))
    assert (given.grad * along).sum().item() == pytest.approx((ahead - behind).item() / 2e-3, rel=1e-3)


def test_colours_move_and_turn_as_they_should() -> None:
    matrix, offset = colour_transform(Draws(5, 0.0))
    assert torch.allclose(matrix, torch.eye(3).expand(5, 3, 3), atol=1e-6)
    assert not offset.any()
    torch.manual_seed(1)
    matrix, offset = colour_transform(Draws(2000, 1.0))
    greys = matrix @ torch.ones(3, 1)
    assert torch.allclose(greys, greys.mean(1, keepdim=True).expand_as(greys), atol=1e-4), "greys stay grey"
    assert (greys[:, 0] < 0).float().mean().item() == pytest.approx(0.5, abs=0.05), "half with brightness upside down"
    contrast = greys.mean((1, 2)).abs()
    assert (offset[:, 0, 0] / contrast).std().item() == pytest.approx(0.2, rel=0.1)


def test_places_are_undistorted_without_stretch() -> None:
    torch.manual_seed(1)
    inverse = inverse_transform(Draws(2000, 1.0), 64, 64)
    area = torch.linalg.det(inverse[:, :2, :2])
    assert area.abs().log().mean().abs().item() < 0.05, "as often larger as smaller"
    assert area.abs().log().std().item() == pytest.approx(2 * 0.2 * 0.6931, rel=0.1), "the zoom's; a stretch keeps it"
    assert (area < 0).float().mean().item() == pytest.approx(0.5, abs=0.05), "half are mirrored"


def test_warps_are_exact_where_no_pixel_is_between_two() -> None:
    """A quarter turn, a mirror image and a shift by whole px, each with one inverse."""
    given = images(2, 12)
    cases = {
        "mirrored": (torch.diag(torch.tensor([-1.0, 1.0, 1.0])), given.flip(3)),
        "turned": (torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), given.rot90(1, (2, 3))),
        "shifted": (torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]), None),
    }
    for name, (inverse, expected) in cases.items():
        made = warp(given, inverse.expand(2, 3, 3))
        if expected is None:
            made, expected = made[:, :, 1:, :-2], given[:, :, :-1, 2:]
        near = (made - expected).abs()
        assert near.mean().item() < 0.12, name  # of noise, whose highest frequencies the filter takes
        assert torch.corrcoef(torch.stack((made.flatten(), expected.flatten())))[0, 1] > 0.97, name


def test_p_follows_how_sure_the_discriminator_is() -> None:
    ada = AdaptiveAugment(0.6, kimg=0.1)
    sure, torn = torch.full((2, 1, 4, 4), 0.3), torch.tensor([0.3, -0.3]).view(2, 1, 1, 1)
    for step in range(9):
        ada.adapt(step)
        ada.observe(sure)
    assert ada.p.item() == pytest.approx(2 * 2 * INTERVAL / 100), "two changes of 8 images each, of 100 from 0 to 1"
    ada.adapt(8)
    assert ada.p.item() == pytest.approx(0.16), "the parts of a step count once"
    for step in range(9, 100):
        ada.observe(torn)
        ada.adapt(step)
    assert ada.p.item() == 0.0
    assert set(ada.state_dict()) == {"p", "signs", "judged"}
