"""What only a GPU can show: that its runs resume to the bit, agree with the CPU's, and go in every mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from curate import load
from curate.train.trainer import run as training
from tests.support.training import dataset, drawn, tiny

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    dataset(tmp_path)
    return tmp_path


def weights(root: Path, name: str, steps: int, **flags: Any) -> dict[str, torch.Tensor]:
    """What the run `name` has learnt after `steps`."""
    given = {"run__steps": steps, "run__device": "cuda", "run__measure_every": 0, **flags}
    training.run(tiny(**given), root, root / name)
    newest = max((root / name / "checkpoints").glob("*.safetensors"), key=lambda path: path.name)
    return load_file(newest)


def test_a_resumed_run_is_bit_equal_to_one_that_never_stopped(root: Path) -> None:
    whole = weights(root, "whole", 6)
    weights(root, "halves", 4)
    again = weights(root, "halves", 6)
    assert whole.keys() == again.keys()
    assert [name for name in whole if not torch.equal(whole[name], again[name])] == []


@pytest.mark.parametrize(
    "mode",
    [
        {"run__precision": "bf16"},
        {"run__precision": "bf16", "run__channels_last": True},
        {"run__tf32": False},
        {"run__compile": "graphs"},
    ],
    ids=lambda mode: "-".join(f"{key.removeprefix('run__')}={value}" for key, value in mode.items()),
)
def test_every_mode_trains_to_finite_weights(root: Path, mode: dict[str, Any]) -> None:
    learnt = weights(root, "mode", 4, **mode)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in learnt.values() if tensor.is_floating_point())


def test_gpu_and_cpu_translate_alike(root: Path) -> None:
    weights(root, "run", 4)
    photo = Image.fromarray(drawn(0, 99, 32))
    made = [np.asarray(load(root / "run", device=device)(photo, align=False), int) for device in ("cuda", "cpu")]
    assert np.abs(made[0] - made[1]).max() <= 2  # of 255: sums in another order, products with TF32's 10 bits
