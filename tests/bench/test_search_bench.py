"""What the looks at a photo find, and their price. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_search_bench.py

prints the table of docs/internals/benchmarks.md.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec

pytestmark = pytest.mark.bench

SETS = {
    "colour portraits": ("train/portraits_colour", 2),
    "grey portraits": ("portraits_gray", 2),
    "garments": ("clothing_cc0", 1),
    "groups": ("dlib_faces", 1),
}  # folder, and each how manieth picture of it
RULES: dict[str, dict[str, Any]] = {
    "largest": {},
    "all": {"faces": "all"},
    "largest, min_face 90": {"min_face": 90},
}


def test_what_the_looks_find_and_cost(data: Path) -> None:
    cv2.setNumThreads(1)
    lines = [f"| rules | {' | '.join(SETS)} |", "|---" * (len(SETS) + 1) + "|"]
    found: dict[tuple[str, str], Counter[str]] = {}
    for name, rules in RULES.items():
        cells = []
        for kind, (folder, step) in SETS.items():
            files = sorted((data / folder).rglob("*.jpg"))[::step]
            cut = [measured(rules | {"closer_look": closer}, files) for closer in (True, False)]
            (found[name, kind], spent), (_, without) = cut
            told = ", ".join(f"{count} {reason}" for reason, count in found[name, kind].most_common())
            cells.append(f"{told}; {spent:.0f} ms, {without:.0f} without the closer look")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    for kind in SETS:
        assert found["all", kind]["ok"] >= found["largest", kind]["ok"], kind
    assert found["largest", "garments"]["ok"] == 0


def measured(rules: dict[str, Any], files: list[Path]) -> tuple[Counter[str], float]:
    """Photos by what became of their best face, and CPU ms a photo, decoding apart."""
    aligner, spent = Aligner(CropRules(size=64, **rules)), 0.0
    count: Counter[str] = Counter()
    for file in files:
        image = codec.decode(file.read_bytes())
        start = time.process_time()
        reasons = {cut.reason for cut in aligner(image)}
        spent += time.process_time() - start
        count["ok" if "ok" in reasons else min(reasons, default="no_face")] += 1
    return count, 1000 * spent / len(files)
