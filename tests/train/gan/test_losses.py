"""Losses against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from curate.train.gan.losses import l1, lsgan


def test_lsgan_is_the_mean_square_over_batch_and_patches() -> None:
    scores = torch.tensor([[[[0.5, -1.0], [2.0, 1.0]]], [[[0.0, 0.0], [0.0, 3.0]]]])
    assert lsgan(scores, real=True).item() == pytest.approx((0.25 + 4 + 1 + 0 + 1 + 1 + 1 + 4) / 8)
    assert lsgan(scores, real=False).item() == pytest.approx((0.25 + 1 + 4 + 1 + 9) / 8)


def test_l1_is_the_mean_distance() -> None:
    assert l1(torch.tensor([[1.0, -1.0]]), torch.tensor([[0.5, 1.0]])).item() == pytest.approx(1.25)


def test_losses_are_float32_whatever_the_networks_are() -> None:
    half = torch.rand(4, dtype=torch.bfloat16)
    assert lsgan(half, real=True).dtype == l1(half, half).dtype == torch.float32
