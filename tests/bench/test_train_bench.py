"""Training steps at full size beside the references' own, each in a process of its own, one after the other.

On a CPU with one thread, where CPU seconds count; on a GPU the same and more, where milliseconds do. The references run
where a checkout of them is named: see tests/bench/steps.py. Each row goes to stdout as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

GPU = torch.cuda.is_available()
CHECKOUTS = {"cyclegan": "CURATE_CYCLEGAN", "ugatit": "CURATE_UGATIT", "council": "CURATE_COUNCIL"}
SIDES = {"council": 128}  # px, as the authors' settings have it; else 256

KINDS: list[dict[str, Any]] = [
    {"whose": "ours"},
    {"whose": "reference"},
    {"whose": "ours", "precision": "bf16"},
    {"whose": "ours", "channels_last": True},
    {"whose": "ours", "precision": "bf16", "channels_last": True},
]
ON_A_GPU: list[dict[str, Any]] = [
    {"whose": "ours", "tf32": False},
    {"whose": "ours", "compile": "default"},
    {"whose": "ours", "compile": "graphs"},
    {"whose": "ours", "compile": "graphs", "precision": "bf16", "channels_last": True},
    {"whose": "ours", "batch": 8, "precision": "bf16"},
    {"whose": "ours", "batch": 8, "precision": "bf16", "channels_last": True},
    {"whose": "ours", "batch": 8, "precision": "bf16", "channels_last": True, "compile": "default"},
    {"whose": "reference", "batch": 8},
]


def label(kind: dict[str, Any]) -> str:
    return "-".join(str(value) if value is not True else key for key, value in kind.items())


@pytest.mark.bench
@pytest.mark.parametrize("kind", KINDS + ON_A_GPU, ids=label)
@pytest.mark.parametrize("recipe", CHECKOUTS)
def test_a_step(recipe: str, kind: dict[str, Any]) -> None:
    if kind in ON_A_GPU and not GPU:
        sys.stdout.write(json.dumps({"recipe": recipe, **kind, "not run": "no GPU here"}) + "\n")
        pytest.skip("no GPU here")
    if kind["whose"] == "reference" and not os.environ.get(CHECKOUTS[recipe]):
        pytest.skip(f"{CHECKOUTS[recipe]} names no checkout of the reference")
    row = measured({"recipe": recipe, "side": SIDES.get(recipe, 256), **kind})
    sys.stdout.write(json.dumps(row) + "\n")
    assert row["ms_per_step"] > 0


def measured(ask: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.steps", json.dumps(ask)], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row
