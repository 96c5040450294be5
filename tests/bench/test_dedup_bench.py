"""Near pairs among up to a million hashes, beside faiss, a BK-tree and imagededup; and a hundred crops more.

CURATE_DEDUP_PYTHON names the Python of an environment of its own that has faiss-cpu, pybktree and imagededup; without
it only ours is measured. Each measurement is a process of its own. CURATE_BENCH_LIMIT is the seconds that each may
take, CURATE_BENCH_COUNTS how many hashes there are, CURATE_BENCH_PLOT a file (.svg or .png, drawn by that environment's
matplotlib) for the growth.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from tests.support import ROOT, drawn_people

pytestmark = pytest.mark.bench

RADIUS = 8
COUNTS = [int(count) for count in os.environ.get("CURATE_BENCH_COUNTS", "10000 100000 1000000").split()]
LIMIT = float(os.environ.get("CURATE_BENCH_LIMIT", "300"))
OTHERS = os.environ.get("CURATE_DEDUP_PYTHON")

# Each searches `hashes` (uint64) for pairs at most `radius` apart and says how many it found.
SEARCHES = {
    "curate": """
from curate.pipeline.hashing import hamming
begin()
pairs = sum(len(chunk) for chunk in hamming.within(hashes, radius))
""",
    "faiss IndexBinaryFlat": """
import faiss
faiss.omp_set_num_threads(1)
index = faiss.IndexBinaryFlat(64)
codes = hashes.view(np.uint8).reshape(-1, 8)
begin()
index.add(codes)
pairs = 0
for start in range(0, len(codes), 65536):
    limits, _, _ = index.range_search(codes[start : start + 65536], radius + 1)
    pairs += int(limits[-1])
pairs = (pairs - len(codes)) // 2
""",
    "pybktree": """
import pybktree
values = [int(h) for h in hashes]
begin()
tree = pybktree.BKTree(pybktree.hamming_distance, values)
pairs = (sum(len(tree.find(value, radius)) for value in values) - len(values)) // 2
""",
    "imagededup (its default)": """
from imagededup.methods import PHash
codes = {str(n): f"{int(h):016x}" for n, h in enumerate(hashes)}
begin()
found = PHash(verbose=False).find_duplicates(
    encoding_map=codes, max_distance_threshold=radius, num_enc_workers=0, num_dist_workers=0
)
pairs = sum(map(len, found.values())) // 2
""",
}
FRAME = """
import json, os, resource, sys
import numpy as np
hashes, radius = np.load(sys.argv[1]), int(sys.argv[2])
def spent():
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))
def peak():  # not ru_maxrss, which a process inherits from the one that starts it
    status = open("/proc/self/status").read().split()
    return int(status[status.index("VmHWM:") + 1]) // 1024
began = [0.0]
def begin():
    began[0] = spent()
{body}
print(json.dumps(dict(pairs=pairs, cpu_s=round(spent() - began[0], 2), peak_mib=peak())))
"""


def show(**figures: Any) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")


def timed(name: str, path: Path) -> dict[str, Any] | None:
    """What the search `name` took for the hashes in `path`; None when it takes more than LIMIT."""
    python = sys.executable if name == "curate" else OTHERS
    assert python
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT) if name == "curate" else ""}
    command = [python, "-c", FRAME.replace("{body}", SEARCHES[name]), str(path), str(RADIUS)]
    with subprocess.Popen(
        command, cwd=path.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return None
    assert process.returncode == 0, name
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def planted(count: int) -> NDArray[np.uint64]:
    """Random hashes, 5 % of them copies of others with 0 to 10 bits turned."""
    rng = np.random.default_rng(7)
    hashes = rng.integers(0, 2**64, count, np.uint64)
    for i in range(count // 20):
        bits = rng.choice(64, i % 11, replace=False).astype(np.uint64)
        hashes[-1 - i] = hashes[i] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
    return hashes


def posed(count: int) -> NDArray[np.uint64]:
    """Hashes as aligned faces have them: each bit leans to one side, and one pair of strangers in 50,000 is near."""
    rng = np.random.default_rng(7)
    lean = rng.normal(0, 1.05, 64)
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, 50_000):
        part = rng.normal(size=(min(50_000, count - start), 64)) + lean
        hashes[start : start + len(part)] = np.packbits(part > 0, axis=1).view(">u8")[:, 0]
    return hashes


def test_search(tmp_path: Path) -> None:
    sys.stdout.write("\n")
    gone: set[str] = set()
    rows: dict[str, dict[int, float]] = {}
    for count in COUNTS:
        hashes = planted(count)
        np.save(path := tmp_path / f"{count}.npy", hashes)
        near = sum(i % 11 <= RADIUS for i in range(count // 20))
        for name in SEARCHES:
            if name in gone or (name != "curate" and not OTHERS):
                continue
            row = timed(name, path)
            show(search=name, hashes=count, radius=RADIUS, **(row or {"gave_up_after_s": LIMIT}))
            if row is None:
                gone.add(name)
                continue
            rows.setdefault(name, {})[count] = row["cpu_s"]
            if name == "curate":
                ours = row["pairs"]
                assert ours >= near
            else:
                assert row["pairs"] == ours, name
    if OTHERS and (plot := os.environ.get("CURATE_BENCH_PLOT")):
        subprocess.run([OTHERS, "-c", PLOT, json.dumps(rows), plot], check=True)


def test_search_among_faces(tmp_path: Path) -> None:
    """Where strangers are near one another, there are pairs by the million; none is held."""
    sys.stdout.write("\n")
    for count in COUNTS:
        np.save(path := tmp_path / f"{count}.npy", posed(count))
        row = timed("curate", path) or {"gave_up_after_s": LIMIT}
        show(search="curate, posed alike", hashes=count, radius=RADIUS, **row)


PLOT = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for name, row in json.loads(sys.argv[1]).items():
    xs = sorted(map(int, row))
    axes.loglog(xs, [max(row[str(x)], 0.01) for x in xs], "o-", label=name, linewidth=1.6, markersize=4)
axes.set_xlabel("hashes"); axes.set_ylabel("CPU seconds, one thread"); axes.grid(alpha=0.3); axes.legend(fontsize=8)
figure.savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith("svg") else None)
"""

RUN = """
import json, resource, sys, time
from pathlib import Path
from curate.pipeline.core.parallel import Engine
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
began = time.perf_counter()
dedup.run(Dedup(), Path(sys.argv[1]), engine=Engine(kind="inline"))
own = resource.getrusage(resource.RUSAGE_SELF)
status = open("/proc/self/status").read().split()
print(json.dumps({"wall_s": round(time.perf_counter() - began, 1), "cpu_s": round(own.ru_utime + own.ru_stime, 1),
    "peak_mib": int(status[status.index("VmHWM:") + 1]) // 1024}))
"""


def crops(root: Path, ids: list[str], picture: bytes) -> None:
    """A crops.parquet with these crops; only those whose name begins with "new" have a picture."""
    columns: dict[str, Any] = {"crop_id": ids, "path": [f"processed/crops/{i}.png" for i in ids]}
    columns["source_path"] = ["raw/images/x.jpg"] * len(ids)
    fixed = {"status": manifest.ACCEPTED, "reason": manifest.OK, "face_px": 100.0, "sharpness": 50.0, "padding": 0.0}
    for field in manifest.CROPS.schema:
        if field.name not in columns:
            needed = "x" if pa.types.is_string(field.type) else 0
            value = fixed.get(field.name, None if field.nullable else needed)
            columns[field.name] = pa.repeat(pa.scalar(value, field.type), len(ids))
    manifest.write(manifest.CROPS, pa.table(columns, schema=manifest.CROPS.schema), root)
    for name in ids:
        if name.startswith("new"):
            path = root / f"processed/crops/{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)


@pytest.mark.parametrize("count", COUNTS[1:])
def test_a_hundred_more(tmp_path: Path, count: int) -> None:
    """The stage as a whole: first with all marks known and no pairs, then again with 100 new crops."""
    from curate.pipeline.dedup import cache
    from curate.pipeline.dedup import stage as dedup
    from curate.pipeline.dedup.config import Dedup
    from curate.pipeline.dedup.fingerprints import THUMB, Fingerprints

    rng = np.random.default_rng(1)
    ids = [f"{n:032x}" for n in range(count)]
    crops(tmp_path, ids, b"")
    thumbs = rng.integers(0, 256, (count, THUMB), np.uint8)
    marks = Fingerprints(planted(count), np.zeros((count, 0), np.uint64), np.full(count, 30, np.float32), thumbs)
    section = Dedup()
    cache.FingerprintCache(tmp_path, dedup._settings(section, tmp_path)).write(
        pa.chunked_array([ids]), marks, None, np.arange(0)
    )
    del marks, thumbs
    for step, more in (("all pairs", 0), ("100 more", 100), ("nothing more", 0)):
        if more:
            crops(tmp_path, ids + [f"new{n:029}" for n in range(more)], codec.encode_png(drawn_people.photo(3)))
        output = subprocess.run(
            [sys.executable, "-c", RUN, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        show(stage="dedup", crops=count, step=step, **json.loads(output.splitlines()[-1]))
