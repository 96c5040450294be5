"""Precision and recall of the detectors. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_detectors_bench.py

prints the table of docs/detectors.md. Nothing is asserted but what the plausibility scores promise.
"""

from __future__ import annotations

import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import images, judge, models
from pipeline.align import Aligner, Cut
from pipeline.geometry import Box, overlap
from pipeline.params import CropRules
from tests.pipeline import faces

pytestmark = pytest.mark.bench

ROWS: dict[str, dict[str, Any]] = {
    "haar": {},
    "haar, permissive": {"min_neighbors": 1, "scale_factor": 1.1},
    "hog": {"detector": "hog"},
    "hog, no upsampling": {"detector": "hog", "upsample": 0},
    "cnn": {"detector": "cnn"},
    "yunet": {"detector": "yunet"},
    "haar+hog": {"detector": "haar+hog"},
    "haar permissive + hog": {"detector": "haar+hog", "min_neighbors": 1, "scale_factor": 1.1},
    "haar+cnn": {"detector": "haar+cnn"},
}
# Every face is looked for, and small or enlarged ones count: what is measured is detection.
EVERY: dict[str, Any] = {"faces": "all", "min_face": 20, "max_upscale": 1e6, "max_padding": 1.0, "size": 64}
ANYTHING: dict[str, Any] = {
    "max_unrest": 1e6, "max_roll": 180.0, "eye_share": [0, 1e6], "mouth_drop": [-1e6, 1e6], "max_offset": 1e6,
    "max_asymmetry": 1e6, "max_shape_error": 1e6,
}  # fmt: skip


class Tally:
    """Faces in all, faces found, and boxes that are none, with the plausibility scores and without them."""

    def __init__(self) -> None:
        self.faces = 0
        self.found = {"with": 0, "without": 0}
        self.false = {"with": 0, "without": 0}

    def add(self, photo: Photo, cuts: list[Cut], rules: CropRules, anything: CropRules) -> None:
        self.faces += photo.truth if isinstance(photo.truth, int) else len(photo.truth)
        for name, own in (("with", rules), ("without", anything)):
            boxes = [cut.box for cut, ok in zip(cuts, passed(cuts, own), strict=True) if ok and cut.box]
            if isinstance(photo.truth, int):
                self.found[name] += min(len(boxes), photo.truth)
                self.false[name] += max(len(boxes) - photo.truth, 0)
            else:
                hits = [max((overlap(box, true) for true in photo.truth), default=0) >= 0.3 for box in boxes]
                self.false[name] += hits.count(False)
                self.found[name] += sum(any(overlap(box, true) >= 0.3 for box in boxes) for true in photo.truth)

    def __str__(self) -> str:
        false = f"{self.false['without']} -> {self.false['with']} false"
        if not self.faces:
            return false
        boxes = self.found["with"] + self.false["with"]
        precision = self.found["with"] / boxes if boxes else 1.0
        found = f"{self.found['without']} -> {self.found['with']}"
        return f"{found} of {self.faces}, {false}, P {precision:.2f} R {self.found['with'] / self.faces:.2f}"


def passed(cuts: list[Cut], rules: CropRules) -> list[bool]:
    columns = {name: np.array([cut.measures.get(name, np.nan) for cut in cuts], float) for name in judge.COLUMNS}
    reasons = judge.verdicts(columns, np.zeros(len(cuts), int), np.arange(len(cuts), dtype=float), rules)
    return [bool(reason == "ok") for reason in reasons]


def test_precision_and_recall(data: Path) -> None:
    cv2.setNumThreads(1)
    sets = {"demo": [*demo()], "annotated": [*annotated(data)], "portraits": [*portraits(data)]}
    sets["garments"] = [*garments(data)]
    heads = [f"{name} ({len(photos)} pictures)" for name, photos in sets.items()]
    lines = ["| detector | " + " | ".join(heads) + " | CPU ms per picture |", "|---" * (len(sets) + 2) + "|"]
    tallies: dict[str, dict[str, Tally]] = {}
    for name, settings in ROWS.items():
        if name == "yunet" and models.find("yunet") is None:
            lines.append("| yunet | its file is not on this machine |" + " |" * len(sets))
            continue
        rules, anything = CropRules(**EVERY | settings), CropRules(**EVERY | settings | ANYTHING)
        aligner, spent, tallies[name] = Aligner(rules), 0.0, {}
        for kind, photos in sets.items():
            tally = tallies[name][kind] = Tally()
            for photo in photos:
                start = time.process_time()
                seen = aligner.see(photo.image)
                spent += time.process_time() - start
                tally.add(photo, aligner.cut(photo.image, seen), rules, anything)
        per = spent * 1000 / sum(map(len, sets.values()))
        lines.append(f"| {name} | " + " | ".join(map(str, tallies[name].values())) + f" | {per:.0f} |")
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    false = {when: sum(t.false[when] for t in tallies["haar, permissive"].values()) for when in ("with", "without")}
    assert false["with"] <= 0.2 * false["without"]
    for when in ("haar", "haar, permissive"):
        with_, without = (sum(t.found[w] for t in tallies[when].values()) for w in ("with", "without"))
        assert with_ >= 0.97 * without
