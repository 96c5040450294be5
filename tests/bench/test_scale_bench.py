"""Memory from 1,000 to 20,000 images, and 20,000 killed five times: pytest -m bench -s tests/bench/test_scale_bench.py

CURATE_BENCH_IMAGES=5000 makes it smaller. Memory is that of one process, as `engine: {kind: inline}` works in it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

import pytest

from curate.pipeline.core.confined_path import LINKS
from tests.support import scale

pytestmark = pytest.mark.bench

MOST = int(os.environ.get("CURATE_BENCH_IMAGES", "20000"))
SIZES = (MOST // 20, MOST // 4, MOST)
GROWTH = 4096  # bytes per image, at most: the rows of the tables, and no picture


def test_memory_stays_flat_and_a_killed_run_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peaks: dict[str, dict[int, float]] = {stage: {} for stage in scale.STAGES}
    cpu: dict[str, dict[int, float]] = {stage: {} for stage in scale.STAGES}
    takes = {}
    for size in SIZES:
        root = tmp_path / str(size)
        scale.world(root, size)
        for stage in scale.STAGES:
            start = time.monotonic()
            cpu[stage][size], peaks[stage][size] = (round(value, 1) for value in scale.finish(root, stage))
            takes[stage] = time.monotonic() - start
    report = {"bench": "scale", "peak_mib": peaks, "cpu_s": cpu}
    sys.stdout.write("\n" + json.dumps(report) + "\n")
    for stage, peak in peaks.items():
        assert (peak[MOST] - peak[SIZES[0]]) * 2**20 < GROWTH * (MOST - SIZES[0]), stage

    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "raw").symlink_to(tmp_path / str(MOST) / "raw")
    monkeypatch.setenv(LINKS, str(tmp_path))
    (killed / "manifests").mkdir()
    for name in ("params.yaml", "manifests/images.parquet"):
        (killed / name).write_bytes((tmp_path / str(MOST) / name).read_bytes())
    seed = random.randrange(10**6)
    kills = scale.interrupted(killed, 5, random.Random(seed), takes)
    sys.stdout.write(json.dumps({"bench": "scale, killed", "images": MOST, "kills": kills, "seed": seed}) + "\n")
    assert kills >= 3
    found, wanted = scale.results(killed), scale.results(tmp_path / str(MOST))
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if found[name] != wanted[name]] == []
