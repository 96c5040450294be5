"""Shift and zoom: what the window sees, within which bounds, the same for the same draws."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.data.config import Window
from curate.train.data.transforms import shift_and_zoom
from curate.train.data.unpaired import UnpairedBatches, load
from curate.train.engine.rng import PerImageRng
from tests.support.training import dataset, tiny


def ramps(side: int = 32) -> Tensor:
    """One image whose red is the place across and whose green is the place down, both in [-1, 1]."""
    at = (torch.arange(side) + 0.5) / side * 2 - 1
    return torch.stack([at.expand(side, side), at[:, None].expand(side, side), torch.zeros(side, side)])[None]


def rng(count: int = 1) -> PerImageRng:
    return PerImageRng([torch.Generator().manual_seed(number) for number in range(count)])


def test_no_shift_and_no_zoom_change_nothing() -> None:
    seen = shift_and_zoom(ramps(), 32, (0.0, 0.0), (0.0, 0.0), 1.0, rng())
    torch.testing.assert_close(seen[..., 2:-2, 2:-2], ramps()[..., 2:-2, 2:-2], atol=1e-3, rtol=0)


def test_a_shift_to_the_right_and_down_shows_what_was_left_and_above() -> None:
    seen = shift_and_zoom(ramps(), 32, (0.1, 0.1), (0.05, 0.05), 0.5, rng())
    middle = seen[0, :2, 15:17, 15:17].mean((1, 2))
    torch.testing.assert_close(middle, torch.tensor([-0.2, -0.1]), atol=1e-3, rtol=0)  # the axes are 2 long


def test_windows_stay_inside_and_within_their_sizes() -> None:
    images = ramps(64).expand(500, -1, -1, -1)
    seen = shift_and_zoom(images, 32, (-0.05, 0.05), (-0.05, 0.125), 0.7, rng(500))
    assert seen.shape == (500, 3, 32, 32)
    sides = (seen[:, 0, 0, -1] - seen[:, 0, 0, 0]) / 2 * 32 / 31  # the ramp's rise tells how much of it is seen
    assert 0.69 < sides.min() < 0.72
    assert 0.95 < sides.max() <= 1.0
    across, down = (seen[:, channel].mean((1, 2)) / -2 for channel in (0, 1))
    assert (across.min() > -0.051, across.max() < 0.051) == (True, True)
    assert -0.051 < down.min() < -0.04
    assert 0.11 < down.max() < 0.126
    edges = torch.stack([across.abs(), down.abs()]).amax(0) + sides / 2
    assert edges.max() < 0.502


def test_each_domain_has_its_own_window_and_steps_repeat(tmp_path: Path) -> None:
    dataset(tmp_path)
    data = tiny(data__windows={"b": {"right": [0.2, 0.2], "least": 0.5}}, data__flip=0.0).data
    assert data.windows == {"b": Window(right=(0.2, 0.2), least=0.5)}
    domains = [load(tmp_path, name, "train") for name in ("long", "short")]
    batches = UnpairedBatches(*domains, data, batch=2, seed=0)
    batch = batches(3)
    assert all(batch[key].shape == (2, 3, 32, 32) for key in "ab")
    assert all(torch.equal(batch[key], batches(3)[key]) for key in "ab")
    assert not torch.equal(batch["b"], UnpairedBatches(*domains, tiny().data, batch=2, seed=0)(3)["b"])


def test_a_domain_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"data.*'c'"):
        tiny(data__windows={"c": {"least": 0.5}})
