"""Images per second of a training step at full size, beside the references' order of work on the same net."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from train.loop import Plan, train
from train.modes import Modes
from train.recipe import Batch
from train.recipes.cyclegan import CycleGAN, CycleGANConfig

SIDE = 256  # px
STEPS = 2


class Apart(CycleGAN):
    """The same formulas with a call for each image, as the reference makes them."""

    def _translate(self, generator, source, target):
        return generator(source), generator(target)

    def _judge(self, discriminator, real, fake):
        half = [(discriminator(real) - 1).square().mean(), discriminator(fake).square().mean()]
        return 0.5 * (half[0] + half[1])


def batch(step: int) -> Batch:
    draws = torch.Generator().manual_seed(step)
    return {key: torch.rand(1, 3, SIDE, SIDE, generator=draws) * 2 - 1 for key in "ab"}


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.bench
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", [CycleGAN, Apart], ids=["ours", "apart"])
def test_cyclegan_step(kind: type[CycleGAN], precision: str, one_thread: None) -> None:
    torch.manual_seed(0)
    recipe = kind(CycleGANConfig())
    train(recipe, batch, Plan(1, modes=Modes(precision)), lambda clock, scalars: None)  # type: ignore[arg-type]
    started = time.process_time()
    train(recipe, batch, Plan(STEPS, modes=Modes(precision)), lambda clock, scalars: None)  # type: ignore[arg-type]
    seconds = (time.process_time() - started) / STEPS
    row = {
        "recipe": "cyclegan",
        "kind": kind.__name__,
        "precision": precision,
        "side": SIDE,
        "batch": 1,
        "threads": 1,
        "cpu_seconds_per_step": round(seconds, 2),
        "images_per_cpu_second": round(1 / seconds, 3),
    }
    sys.stdout.write(json.dumps(row) + "\n")
