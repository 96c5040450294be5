"""When memory runs out, the message says which batch would fit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from curate.pipeline.core.errors import CurateError
from curate.train.engine import memory
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.recipes.cyclegan.recipe import CycleGAN
from curate.train.trainer.run import run
from tests.support.training import dataset, tiny


class Greedy(nn.Module):
    """Runs out of memory with more than `most` images."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.optimizers = {"G": torch.optim.Adam([self.weight])}
        self.most = most
        self.tried: list[int] = []

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        self.tried.append(len(batch["a"]))
        if len(batch["a"]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        yield Update("G", {"x": self.weight * batch["a"].mean()})


@pytest.mark.parametrize(("most", "found", "tried"), [(5, 4, [8, 4]), (1, 1, [8, 4, 2, 1]), (0, 0, [8, 4, 2, 1])])
def test_the_batch_is_halved_until_it_fits(most: int, found: int, tried: list[int]) -> None:
    recipe: Any = Greedy(most)
    assert memory.largest_batch(recipe, lambda step: {"a": torch.rand(16, 1)}, 0, 10) == found
    assert recipe.tried == tried
    assert recipe.weight.item() == 1.0  # nothing stepped


def test_other_errors_are_not_taken_for_it() -> None:
    assert memory.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert memory.is_out_of_memory(
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory")
    )
    assert not memory.is_out_of_memory(RuntimeError("sizes do not match"))
    assert not memory.is_out_of_memory(ValueError("memory"))


def test_the_error_names_a_batch_and_how_to_keep_its_sum() -> None:
    error = memory.out_of_memory_error(batch=8, fits=2, parts=1)
    assert "memory ran out with run.batch 8; 2 would fit" in str(error)
    assert "--set run.batch=2 --set run.accumulate=4" in error.hint
    assert "not even a batch of 1" in str(memory.out_of_memory_error(1, 0, 1))


def test_a_run_that_needs_too_much_says_what_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset(tmp_path)
    whole = CycleGAN.step

    def step(self: CycleGAN, batch: Batch, clock: Clock) -> Iterator[Update]:
        if len(batch["a"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        yield from whole(self, batch, clock)

    monkeypatch.setattr(CycleGAN, "step", step)
    with pytest.raises(CurateError, match=r"run\.batch 4; 2 would fit"):
        run(tiny(run__batch=4), tmp_path, tmp_path / "run")


LIMITED = """
import resource, sys
import torch
from pathlib import Path
from curate.pipeline.core.errors import CurateError
from tests.support.training import dataset, tiny
from curate.train.engine import memory
from curate.train.trainer.run import run
torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False  # oneDNN, once a primitive has failed, may fail for the rest of the process
memory.keep_freed_blocks = lambda: None  # the limit is one on addresses, which the heap would keep
root = Path(sys.argv[1])
dataset(root, train=80)
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 800 * 2**20  # half of what the batch takes
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    run(tiny(run__batch=64, data__size=64, data__load=64, model__width=16, run__measure_every=0), root, root / "run")
except CurateError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_memory_that_really_runs_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},  # what is freed, is given back
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert "memory ran out with run.batch 64;" in done.stdout, done.stderr[-2000:]
    fits = int(done.stdout.split("64; ")[1].split()[0])
    assert 1 <= fits <= 32
