"""Numbers and their spread, each beside an answer that is known without them."""

from __future__ import annotations

import pytest
import torch

from curate.train.comparison import scores
from curate.train.evaluation import metrics


def normal(count: int, *shape: int, seed: int, mean: float = 0.0) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)).double() + mean


def test_the_spread_of_a_mean_is_its_standard_error() -> None:
    values = normal(400, seed=1)
    found = scores.mean(values, 400, 0.5)
    assert found.value == pytest.approx(values.mean().item())
    assert found.spread == pytest.approx(values.std().item() / 20, rel=0.15)
    assert (found.images, found.reference) == (400, 0.5)
    assert scores.mean(torch.full((9,), 0.25), 20).spread == 0.0
    assert scores.mean(values, 400).spread == found.spread, "draws are seeded"


def test_the_spread_of_kid_is_what_new_images_would_give() -> None:
    """Twelve sets of images of one kind, and how their KIDs differ, against what one of them says of itself."""
    pairs = [(normal(60, 8, seed=n), normal(60, 8, seed=100 + n, mean=0.7)) for n in range(12)]
    between = torch.tensor([metrics.kid(*pair)["kid"] for pair in pairs]).std().item()
    within = [scores.kid(*pair, 60) for pair in pairs]
    assert within[0].value == metrics.kid(*pairs[0])["kid"]
    assert sum(one.spread for one in within) / len(within) == pytest.approx(between, rel=0.4)


def test_an_image_is_never_compared_with_itself() -> None:
    """Images that all differ equally: KID of a set and of another such set is far from 0 if copies count as alike."""
    real, made = torch.eye(40)[:20] * 8, torch.eye(40)[20:] * 8
    assert scores.kid(real, made, 50).spread == pytest.approx(0.0, abs=1e-9)
    alike = scores.diversity(real, made, 50)
    assert (alike.value, alike.spread, alike.reference) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-9), 1.0)


def test_draws_of_one_image_alone_do_not_count() -> None:
    """Of two images every other draw is one of them twice, and has no two that could differ."""
    real, made = torch.eye(4)[:2], 2 * torch.eye(4)[2:]
    found = scores.diversity(real, made, 50)
    assert (found.value, found.spread) == (pytest.approx(2.0), pytest.approx(0.0, abs=1e-9))


def test_fid_of_two_means_and_its_spread() -> None:
    real = normal(300, 2, seed=5)
    found = scores.fid(real, real + torch.tensor([3.0, 4.0]), 40)
    assert found.value == pytest.approx(25.0)
    assert found.spread == pytest.approx(2 * 5 * (2 / 300) ** 0.5, rel=0.5), "of |m - m'|^2: 2 |m - m'| its error"


def test_one_image_has_no_spread() -> None:
    with pytest.raises(ValueError, match="2 are the least"):
        scores.mean(torch.ones(1), 20)
