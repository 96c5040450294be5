"""The most memory that a step of Council-GAN takes with so many members: full width, 256 px, batch 1, on the CPU.

    python -m tests.bench.council_memory 4

The process's peak, the library with it, as JSON on stdout. A first step of small images makes Adam's moments.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import torch

from curate.train.engine import memory
from curate.train.engine.loop import LoopConfig, train
from curate.train.recipes.council.config import CouncilConfig
from curate.train.recipes.council.recipe import Council
from tests.bench.steps import batches


def peak_mb() -> int:
    """Of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(members: int) -> None:
    """Measures and prints."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    memory.keep_freed_blocks()
    row = {"members": members, "empty_mb": peak_mb()}
    recipe = Council(CouncilConfig(members=members, council_start=0))
    for side in (32, 256):
        source, began = batches(side, 1, torch.device("cpu")), time.process_time()
        train(recipe, source, LoopConfig(1), lambda clock, scalars: None)
        row |= {f"peak_mb_{side}": peak_mb(), f"cpu_s_{side}": round(time.process_time() - began, 1)}
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
