"""KID, FID, diversity and structure against closed forms, numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from curate.train.evaluation.metrics import METRICS, change, checkerboard, colour, diversity, fid, kid, structure


def gaussian(count: int, size: int, seed: int, *, shift: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, size, generator=rng) * scale + shift


def test_kid_of_two_points_each_by_hand() -> None:
    real, fake = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    # k(x, y) = (x.y / 2 + 1)^3. Within: k = 1; within fakes: x.y = 2, k = 8; across: x.y = 1, 2, 1, 0.
    across = (1.5**3 + 2.0**3 + 1.5**3 + 1.0**3) / 4
    assert kid(real, fake) == {"kid": pytest.approx(1.0 + 8.0 - 2 * across)}


def test_kid_is_the_unbiased_estimate_that_numpy_gives() -> None:
    real, fake = gaussian(23, 7, 0), gaussian(17, 7, 1, shift=0.3)
    x, y = real.double().numpy(), fake.double().numpy()
    k = [(one @ other.T / 7 + 1) ** 3 for one, other in ((x, x), (y, y), (x, y))]
    off = [(m.sum() - np.diag(m).sum()) / (len(m) * (len(m) - 1)) for m in k[:2]]
    assert kid(real, fake)["kid"] == pytest.approx(off[0] + off[1] - 2 * k[2].mean(), rel=1e-9)


@pytest.mark.parametrize(("shift", "most"), [(0.6, 1.4), (0.0, 2.5)], ids=["two distributions", "one"])
def test_kid_is_unbiased_and_its_standard_error_is_one(shift: float, most: float) -> None:
    pairs = [kid(gaussian(60, 8, seed), gaussian(60, 8, 1000 + seed, shift=shift)) for seed in range(60)]
    values = np.array([found["kid"] for found in pairs])
    errors = np.array([found["kid_std"] for found in pairs])
    truth = kid(gaussian(1500, 8, 5000), gaussian(1500, 8, 5001, shift=shift))["kid"]
    assert abs(values.mean() - truth) < 3 * values.std() / len(values) ** 0.5
    assert 0.7 < errors.mean() / values.std() < most, "too careful only where there is nothing to tell"


@pytest.mark.parametrize("count", [20, 400], ids=["fewer images than features", "more"])
def test_fid_is_what_scipys_root_of_the_product_gives(count: int) -> None:
    real, fake = gaussian(count, 32, 0), gaussian(count + 5, 32, 1, shift=0.5, scale=2.0)
    x, y = real.double().numpy(), fake.double().numpy()
    one, other = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(one @ other).real
    apart = ((x.mean(0) - y.mean(0)) ** 2).sum()
    assert fid(real, fake)["fid"] == pytest.approx(apart + np.trace(one + other - 2 * root), rel=1e-5)


def test_fid_of_gaussians_on_one_axis_is_the_closed_form() -> None:
    real, fake = gaussian(50, 1, 0), gaussian(70, 1, 1, shift=3.0, scale=2.0)
    apart, spread = real.mean() - fake.mean(), real.std() - fake.std()
    assert fid(real, fake)["fid"] == pytest.approx(float(apart**2 + spread**2), rel=1e-5)
    assert fid(real, real)["fid"] == pytest.approx(0.0, abs=1e-9)


def test_fid_stands_features_that_never_change() -> None:
    flat = torch.cat([gaussian(30, 3, 0), torch.ones(30, 5)], 1)  # a singular covariance
    assert fid(flat, flat + torch.tensor([2.0] + [0.0] * 7))["fid"] == pytest.approx(4.0, rel=1e-6)


def test_diversity_is_a_share_of_the_real_images_own() -> None:
    real = torch.tensor([[0.0, 0.0], [0.0, 4.0], [3.0, 0.0]])  # distances 4, 3, 5
    assert diversity(real, torch.tensor([[1.0, 0.0], [1.0, 2.0]])) == {"diversity": pytest.approx(2.0 / 4.0)}
    assert diversity(real, torch.ones(4, 2)) == {"diversity": 0.0}


@pytest.mark.parametrize("name", METRICS)
def test_one_image_is_too_few(name: str) -> None:
    with pytest.raises(ValueError, match="two images"):
        METRICS.resolve(name)(torch.ones(5, 3), torch.ones(1, 3))


def test_structure_knows_edges_and_not_colours() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3, 16, 16, generator=rng) * 2 - 1
    assert torch.allclose(structure(images, images), torch.ones(4), atol=1e-5)
    assert torch.allclose(structure(images, 0.1 + 0.5 * images), torch.ones(4), atol=1e-5)
    assert torch.allclose(structure(images, 0.1 - 0.5 * images), -torch.ones(4), atol=1e-5), "a negative"
    assert structure(images, images.flip(0)).abs().max() < 0.35
    assert torch.equal(structure(images, torch.zeros_like(images)), torch.zeros(4))


def test_structure_of_a_shifted_edge_by_hand() -> None:
    def edge(at: int) -> torch.Tensor:
        return torch.where(torch.arange(8) < at, -1.0, 1.0).expand(1, 3, 8, 8)

    # The gradient is 8 at the two columns beside the edge, and 0 elsewhere; one column of two is shared.
    assert structure(edge(4), edge(5)).item() == pytest.approx(1 / 2, abs=1e-5)


def test_change_is_a_share_of_the_range() -> None:
    black, grey = torch.full((2, 3, 4, 4), -1.0), torch.zeros(2, 3, 4, 4)
    assert torch.equal(change(black, grey), torch.full((2,), 0.5))
    assert torch.equal(change(grey, grey), torch.zeros(2))


def test_colours_are_told_from_brightness() -> None:
    rng = torch.Generator().manual_seed(1)
    images = torch.rand(3, 3, 12, 12, generator=rng) * 2 - 1
    grey = images.mean(1, keepdim=True)
    assert torch.allclose(colour(images, images * 0.3 + 0.4), torch.ones(3), atol=1e-4)
    assert torch.allclose(colour(images, 2 * grey - images), -torch.ones(3), atol=1e-4), (
        "opposite hues, same brightness"
    )
    assert torch.equal(colour(images, torch.zeros_like(images)), torch.zeros(3))


@pytest.mark.parametrize("period", [2, 4])
def test_a_checkerboard_is_seen_and_texture_is_not(period: int) -> None:
    rng = torch.Generator().manual_seed(2)
    smooth = torch.nn.functional.interpolate(torch.rand(4, 3, 4, 4, generator=rng) - 0.5, size=64, mode="bicubic")
    on = torch.arange(64) % period < period // 2
    board = torch.where(on[:, None] ^ on, 0.12, 0.0)  # 6 % of the range
    assert checkerboard(smooth + board).min() > 0.015
    assert checkerboard(smooth).max() < 0.002
    assert checkerboard(smooth + 0.2 * torch.randn(smooth.shape, generator=rng)).max() < 0.015
    corner = smooth.clone()
    corner[..., :20, :20] += board[:20, :20]
    assert checkerboard(corner).max() < 0.002, "a part of the image may be chequered"
    assert torch.equal(checkerboard(smooth[..., :8]), torch.zeros(4))
