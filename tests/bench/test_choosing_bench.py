"""What looking at and choosing from 100,000 crops costs. Run with:

pytest -m bench -s tests/bench/test_choosing_bench.py

prints CPU seconds per command, the table of docs/internals/benchmarks.md. Pictures are left out: a sheet shows the
same 300 of any number of crops.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from curate.pipeline.faces import pose
from curate.pipeline.review import select, sort
from curate.pipeline.review.config import Select
from curate.pipeline.review.sort import SortQuery
from curate.pipeline.tables import manifest

pytestmark = pytest.mark.bench

COUNT = 100_000


def column(field: pa.Field, count: int, draws: np.random.Generator) -> pa.Array:
    """Anything of the field's type."""
    if pa.types.is_floating(field.type):
        return pa.array(draws.random(count), pa.float64()).cast(field.type)
    if pa.types.is_integer(field.type):
        return pa.array(np.ones(count, np.int64)).cast(field.type)
    if pa.types.is_boolean(field.type):
        return pa.array(np.zeros(count, bool))
    if pa.types.is_string(field.type) and not field.nullable:
        return pa.array(np.full(count, "x"))
    return pa.nulls(count, field.type)


def world(root: Path, count: int) -> None:
    """Tables of `count` accepted crops, no two alike, whose poses are spread as portraits' are."""
    draws = np.random.default_rng(0)
    ids = pa.array(sorted(draws.bytes(16).hex() for _ in range(count)))
    turned = pose.MEAN[None, :, :2] + draws.normal(0, 0.1, (count, 1, 1)) * pose.MEAN[None, :, 2:]
    marks = pa.array((100 * turned).astype(np.float32).ravel())
    fate = {"status": pa.array(np.full(count, "accepted")), "reason": pa.array(np.full(count, "ok"))}
    own = {
        manifest.CROPS: {"landmarks": pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * 136, marks)},
        manifest.DEDUP: {"phash": pa.array(draws.integers(0, 2**64, count, np.uint64)), "cluster_id": ids},
    }
    for table, columns in own.items():
        given = {"crop_id": ids, **fate, **columns}
        data = {f.name: given[f.name] if f.name in given else column(f, count, draws) for f in table.schema}
        manifest.write(table, pa.table(data, schema=table.schema), root)


def seconds(call: Callable[[], Any]) -> float:
    started = time.process_time()
    call()
    return round(time.process_time() - started, 2)


def test_choosing_from_many(tmp_path: Path) -> None:
    world(tmp_path, COUNT)
    keys = ("face_sharpness", "yaw", "alike", "least-alike")
    found = {f"sort --by {by}": seconds(lambda by=by: sort.run(SortQuery(by), tmp_path)) for by in keys}
    for keep in (2_000, 20_000):
        found[f"select --keep {keep}"] = seconds(lambda keep=keep: select.run(Select(keep=keep), tmp_path))
    found["select --undo"] = seconds(lambda: select.undo(tmp_path))
    sys.stdout.write("\n" + json.dumps({"crops": COUNT, "cpu_seconds": found}, indent=1) + "\n")
