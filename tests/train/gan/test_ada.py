"""Adaptive discriminator augmentation: nothing at first, then as much as is needed; gradients pass through."""

from __future__ import annotations

import pytest
import torch

from curate.train.gan.ada import INTERVAL, AdaptiveAugment


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
    # 13 kinds of change (two shifts of two axes each, two turns that share one p), each nothing with 0.9; a quarter of
    # the quarter turns is none.
    untouched = 0.9 ** (1 + 4 + 1 + 1 + 1 + 5) * (1 - 0.1 * 0.75)
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


def test_colours_move_and_turn_as_they_should() -> None:
    ada = at(0.0)
    matrix, offset = ada._colour_transform(5)
    assert torch.allclose(matrix, torch.eye(3).expand(5, 3, 3), atol=1e-6)
    assert not offset.any()
    ada.p.fill_(1.0)
    matrix, offset = ada._colour_transform(2000)
    greys = matrix @ torch.ones(3, 1)
    assert torch.allclose(greys, greys.mean(1, keepdim=True).expand_as(greys), atol=1e-4), "greys stay grey"
    assert (greys < 0).all(), "with brightness upside down"
    assert offset.std().item() == pytest.approx(0.2, rel=0.1)


def test_places_are_undistorted_without_stretch() -> None:
    ada = at(1.0)
    inverse = ada._inverse_transform(2000)[:, :2, :2]
    area = torch.linalg.det(inverse).abs().log()
    assert area.mean().abs().item() < 0.05, "as often larger as smaller"
    assert area.std().item() == pytest.approx(2 * 0.2 * 0.6931, rel=0.1), "the zoom's; a stretch keeps the area"
    assert (torch.linalg.det(inverse) < 0).all(), "each is mirrored"


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
