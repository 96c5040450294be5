"""What a run will take: counted, measured, and honest about either."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from curate.train.runs.config import TrainConfig
from curate.train.runs.factory import build
from curate.train.trainer import data_module, estimate
from curate.train.trainer.estimate import duration, format_lines
from curate.train.trainer.finetune import freeze
from tests.support.training import dataset, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("root")
    dataset(path)
    return path


def made(root: Path, config: TrainConfig, steps: int = 1000) -> estimate.Estimate:
    return estimate.estimate(build(config), data_module.build_data_module(config, root), config.run, steps)


def test_tensors_are_counted(root: Path) -> None:
    recipe = build(tiny())
    found = made(root, tiny())
    parameters = {name: sum(p.numel() for p in o.param_groups[0]["params"]) for name, o in recipe.optimizers.items()}
    assert found.gradients == 4 * max(parameters.values())
    assert found.moments == 2 * 4 * sum(parameters.values())
    assert found.weights == 4 * sum(parameters.values())
    assert found.checkpoint == found.weights + found.moments


def test_activations_are_those_that_autograd_keeps_at_once(root: Path) -> None:
    small, large = (made(root, tiny(data__size=size, data__load=size)).activations for size in (32, 64))
    assert small is not None
    assert large is not None
    assert 3.0 < large / small < 4.5, "they grow with the pixels"
    twice = made(root, tiny(run__batch=2)).activations
    assert twice is not None
    assert 1.7 < twice / small < 2.3, "and with the batch"


def test_each_storage_counts_once_and_as_long_as_it_is_held() -> None:
    weight = torch.ones(4, requires_grad=True)
    kept = estimate._SavedTensors([weight])
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
        squared = weight * weight  # keeps the weight alone
        assert kept.now == 0
        out = (squared * squared).sum()  # keeps 16 bytes, twice
        assert kept.now == 16
        out.backward()
    assert (kept.now, kept.most) == (0, 16)


def test_time_is_measured_and_its_basis_is_said(root: Path) -> None:
    found = made(root, tiny(), steps=1000)
    assert found.step is not None
    assert found.run == pytest.approx(1000 * found.step)
    assert found.basis.startswith("3 steps on cpu, ")
    assert made(root, tiny(), steps=1).basis.startswith("1 steps on cpu")
    shown = "\n".join(format_lines(found))
    assert all(word in shown for word in ("memory:", "activations", "time:", "disk:", "basis:"))


def test_what_is_held_takes_neither_gradients_nor_moments(root: Path) -> None:
    config = tiny()
    recipe = build(config)
    freeze(recipe, ["g_a2b"])
    found = estimate.estimate(recipe, data_module.build_data_module(config, root), config.run, 10)
    assert found.moments < made(root, config).moments


def test_what_is_too_large_for_a_trial_is_only_counted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_free", lambda place: 1000)
    found = made(root, tiny())
    assert (found.memory, found.step, found.run) == (None, None, None)
    assert found.basis.startswith("not measured: weights, gradients and moments take")
    assert "time: not measured" in "\n".join(format_lines(found))


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.6, "9s"), (250, "4m10s"), (7500, "2h05m"), (273600, "3d04h"), (59.7, "1m00s")]
)
def test_durations_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
