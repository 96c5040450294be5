"""What becomes of a flipped bit in a table, a checkpoint and an exported crop, and what noticing it costs. Run with:

pytest -m bench -s tests/bench/test_flips_bench.py

prints the figures of docs/internals/benchmarks.md. Tables are those of 2,000 drawn rows with every column filled;
"before" are the same rows as pyarrow writes them by itself.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load, load_file, save, save_file

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, shards
from curate.pipeline.tables import manifest
from curate.train.engine import safetensors_file
from tests.bench.test_choosing_bench import column
from tests.support import drawn_people

pytestmark = pytest.mark.bench

TABLES = [manifest.IMAGES, manifest.CROPS, manifest.DEDUP, manifest.DATASET, manifest.PAIRS]
FLIPS = 300  # of each table
ROUNDS = 15


def rows(table: manifest.Table, count: int) -> pa.Table:
    """`count` rows of `table` that its rules allow."""
    draws = np.random.default_rng(1)
    columns = {field.name: column(field, count, draws) for field in table.schema}
    columns[table.key] = pa.array([f"{n:032x}" for n in range(count)])
    columns |= {name: pa.array([f"{n:032x}" for n in draws.integers(0, count, count)]) for name in table.ids[1:]}
    columns |= {name: pa.array([f"{folder}/{n}.jpg" for n in range(count)]) for name, folder in table.paths.items()}
    if "split" in table.schema.names:
        columns["split"] = pa.array(["train"] * count)
    if table.reasons:
        columns |= {"status": pa.array(["accepted"] * count), "reason": pa.array(["ok"] * count)}
    return pa.table({name: columns[name] for name in table.schema.names}).cast(table.schema)


def flips(path: Path, read: Callable[[], Any], seed: str, count: int) -> Counter[str]:
    """What `read` says of `path` with one bit flipped, `count` times: refused, the same, something else, or a crash."""
    whole, found, wanted, draws = path.read_bytes(), Counter[str](), read(), random.Random(seed)
    for _ in range(count):
        place = draws.randrange(8 * len(whole))
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        fresh = path.with_suffix(".new")
        fresh.write_bytes(changed)
        fresh.replace(path)  # not in place, as the old one is mapped
        try:
            found["the same" if read() == wanted else "something else"] += 1
        except (CurateError, OSError, ValueError, pa.ArrowException):
            found["refused"] += 1
        except Exception as error:
            found[type(error).__name__] += 1
    path.write_bytes(whole)
    return found


def test_flips_in_tables_and_what_checksums_cost(tmp_path: Path) -> None:
    before, after, costs = Counter[str](), Counter[str](), {}
    for table in TABLES:
        path = manifest.write(table, rows(table, 2000), tmp_path, {"section": {"size": 128}})

        def read(table: manifest.Table = table) -> object:
            return manifest.read(table, tmp_path), manifest.meta(table, tmp_path)

        after += flips(path, read, table.name, FLIPS)
        costs[table.name] = cost(table, path)
        data = pq.read_table(path)
        kept = {k: v for k, v in data.schema.metadata.items() if k != b"curate.digest"}
        pq.write_table(data.replace_schema_metadata(kept), path, compression="zstd", row_group_size=manifest.GROUP)
        before += flips(path, read, table.name, FLIPS)
    report = {"bench": "flips", "tables": {"before": before, "after": after}, "times_as_long": costs}
    sys.stdout.write("\n" + json.dumps(report) + "\n")
    assert after["something else"] == 0


def cost(table: manifest.Table, path: Path) -> dict[str, float]:
    """Reading and writing with checksums over the same without, CPU time, medians of interleaved rounds."""
    data = rows(table, 20_000)
    took: dict[str, list[float]] = {"write": [], "read": []}
    for _ in range(ROUNDS):
        times = {}
        for checked in (False, True):
            target = path.with_name(f"{table.name}.{checked}")
            start = time.process_time()
            pq.write_table(data, target, compression="zstd", row_group_size=2048, write_page_checksum=checked)
            middle = time.process_time()
            pq.read_table(target, memory_map=True, page_checksum_verification=checked, use_threads=False)
            times[checked] = middle - start, time.process_time() - middle
        for name, plain, checked_ in zip(took, times[False], times[True], strict=True):
            took[name].append(checked_ / plain)
    return {name: round(float(np.median(ratios)), 2) for name, ratios in took.items()}


def test_flips_in_checkpoints_and_what_checksums_cost(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, tensors = tmp_path / "x.safetensors", {f"layer.{n}": torch.randn(64, 64) for n in range(8)}

    def read() -> object:
        notes, found = safetensors_file.read(path)
        return notes["curate"], {name: value.numpy().tobytes() for name, value in found.items()}

    def plain() -> object:
        return {name: value.numpy().tobytes() for name, value in load(path.read_bytes()).items()}

    safetensors_file.write(path, tensors, {"curate": "{}"})
    after = flips(path, read, "after", 200)
    path.write_bytes(save(tensors, {"curate": "{}"}))
    before = flips(path, plain, "before", 200)

    large = {f"layer.{n}": torch.randn(25 << 16) for n in range(16)}  # 100 MiB
    took: dict[str, list[float]] = {"write": [], "verify": [], "write, library": [], "read, library": []}
    for _ in range(ROUNDS):
        for name, what in {
            "write": lambda: safetensors_file.write(path, large),
            "verify": lambda: safetensors_file.read(path),
            "write, library": lambda: save_file(large, path),
            "read, library": lambda: load_file(path),
        }.items():
            start = time.process_time()
            what()
            took[name].append(time.process_time() - start)
    costs = {name: round(1000 * float(np.median(times)), 1) for name, times in took.items()}
    report = {"bench": "flips", "checkpoints": {"before": before, "after": after}, "cpu_ms_per_100_mib": costs}
    sys.stdout.write("\n" + json.dumps(report) + "\n")
    assert after["something else"] == 0


def test_flips_in_crops_that_are_exported_and_what_checksums_cost(tmp_path: Path) -> None:
    photo = codec.decode(drawn_people.png(drawn_people.photo(1)))
    crops = [f"{number}.png" for number in range(100)]
    for number, name in enumerate(crops):
        noise = np.random.default_rng(number).integers(0, 6, (256, 256, 3))
        (tmp_path / name).write_bytes(codec.encode_png(np.asarray(photo[:256, :256] // 2 + noise, np.uint8)))
    readers = {"before": shards.load_bytes, "after": shards.load_png}
    found = {
        when: flips(tmp_path / crops[0], lambda read=read: read(tmp_path, crops[0], "curate crop"), when, 200)
        for when, read in readers.items()
    }
    took: dict[str, list[float]] = {when: [] for when in readers}
    for _ in range(ROUNDS):
        for when, read in readers.items():
            start = time.process_time()
            for name in crops:
                with atomic_write(tmp_path / "out" / name, durable=False) as temporary:
                    temporary.write_bytes(read(tmp_path, name, "curate crop"))
            took[when].append((time.process_time() - start) / len(crops))
    costs = {when: round(1000 * float(np.median(times)), 2) for when, times in took.items()}
    report = {"bench": "flips", "crops": found, "bytes": (tmp_path / crops[0]).stat().st_size, "cpu_ms_per_crop": costs}
    sys.stdout.write("\n" + json.dumps(report) + "\n")
    assert found["after"]["something else"] == 0
