"""All stages over a world of a hundred pictures, by the command line: killed and resumed, nothing is different.

The same at full size, with its memory: tests/bench/test_scale_bench.py.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.support import scale


@pytest.mark.slow
def test_killed_and_resumed_every_file_is_the_same(tmp_path: Path) -> None:
    once, resumed = tmp_path / "once", tmp_path / "killed"
    takes = {}
    for root in (once, resumed):
        scale.world(root, 100, above=40)
    for stage in scale.STAGES:
        start = time.monotonic()
        scale.finish(once, stage)
        takes[stage] = time.monotonic() - start
    assert scale.interrupted(resumed, 3, random.Random(5), takes) >= 1
    before = scale.results(once)
    assert scale.results(resumed) == before
    assert sum(name.endswith(".tar") for name in before) >= 2
