"""Precision and recall of every detector. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_detectors_bench.py

prints the tables of docs/guide/detectors.md, with CURATE_DLIB_FACES for all nine annotated photos. Asserted is only
what the plausibility scores promise.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from curate.pipeline.faces import criteria, model_files
from curate.pipeline.faces.alignment import Aligner, Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.geometry import Box, overlap
from tests.bench import truth
from tests.bench.truth import Photo

pytestmark = pytest.mark.bench

ROWS: dict[str, dict[str, Any]] = {
    "haar": {},
    "haar, permissive": {"min_neighbors": 1, "scale_factor": 1.1},
    "haar, cascade default": {"cascade": "default"},
    "haar, cascade default, permissive": {"cascade": "default", "min_neighbors": 1, "scale_factor": 1.1},
    "hog": {"detector": "hog"},
    "hog, no upsampling": {"detector": "hog", "upsample": 0},
    "cnn": {"detector": "cnn"},
    "blaze": {"detector": "blaze"},
    "blaze, mesh": {"detector": "blaze", "landmarks": "mesh"},
    "haar permissive, mesh": {"landmarks": "mesh", "min_neighbors": 1, "scale_factor": 1.1},
    "yunet": {"detector": "yunet"},
    "haar+hog": {"detector": "haar+hog"},
    "haar permissive + hog": {"detector": "haar+hog", "min_neighbors": 1, "scale_factor": 1.1},
    "haar+cnn": {"detector": "haar+cnn"},
}
# Every face is looked for, and small or enlarged ones count: what is measured is detection.
EVERY: dict[str, Any] = {
    "faces": "all",
    "min_face": 20,
    "max_upscale": 1e6,
    "max_padding": 1.0,
    "size": 64,
    "closer_look": False,
}
ANY_COLOUR: dict[str, Any] = {"min_skin": 0.0, "min_skin_rim": 0.0}
ANY_LANDMARKS: dict[str, Any] = {
    "max_unrest": 1e6, "min_second_score": -1e6, "max_roll": 180.0, "eye_share": [0, 1e6],
    "mouth_drop": [-1e6, 1e6], "max_offset": 1e6,
    "max_asymmetry": 1e6, "max_shape_error": 1e6,
}  # fmt: skip
STEPS: dict[str, dict[str, Any]] = {  # what is left of the boxes, one kind of score after the other
    "boxes": ANY_LANDMARKS | ANY_COLOUR,
    "landmarks": ANY_COLOUR,
    "skin": {},
}
SETS = ("demo", "annotated", "portraits", "garments")


class Tally:
    """Faces in all, and after each of STEPS the faces found and the boxes that are none."""

    def __init__(self) -> None:
        self.faces = 0
        self.found: Counter[str] = Counter()
        self.false: Counter[str] = Counter()

    def add(self, photo: Photo, cuts: list[Cut], rules: dict[str, CropRules]) -> None:
        self.faces += photo.truth if isinstance(photo.truth, int) else len(photo.truth)
        for step, own in rules.items():
            boxes = [cut.box for cut, ok in zip(cuts, passed(cuts, own), strict=True) if ok and cut.box]
            found, false = hits(photo.truth, boxes)
            self.found[step] += found
            self.false[step] += false

    def __str__(self) -> str:
        false = " -> ".join(str(self.false[step]) for step in STEPS) + " false"
        if not self.faces:
            return false
        last = list(STEPS)[-1]
        boxes = self.found[last] + self.false[last]
        found = " -> ".join(str(self.found[step]) for step in STEPS)
        precision = self.found[last] / boxes if boxes else 1.0
        return f"{found} of {self.faces}, {false}, P {precision:.2f} R {self.found[last] / self.faces:.2f}"


def hits(known: list[Box] | int, boxes: list[Box]) -> tuple[int, int]:
    """Faces found, and boxes that are none."""
    if isinstance(known, int):
        return min(len(boxes), known), max(len(boxes) - known, 0)
    found = sum(any(overlap(box, true) >= 0.3 for box in boxes) for true in known)
    return found, sum(all(overlap(box, true) < 0.3 for true in known) for box in boxes)


def passed(cuts: list[Cut], rules: CropRules) -> list[bool]:
    columns = {name: np.array([cut.measures.get(name, np.nan) for cut in cuts], float) for name in criteria.COLUMNS}
    reasons = criteria.reasons(columns, np.zeros(len(cuts), int), np.arange(len(cuts), dtype=float), rules)
    return [bool(reason == "ok") for reason in reasons]


@pytest.fixture(scope="module")
def photos(data: Path) -> dict[str, list[Photo]]:
    sets = truth.drawn(), truth.annotated(data), truth.portraits(data), truth.garments(data)
    return dict(zip(SETS, sets, strict=True))


def test_precision_and_recall(photos: dict[str, list[Photo]]) -> None:
    cv2.setNumThreads(1)
    heads = [f"{name} ({len(own)} pictures)" for name, own in photos.items()]
    lines = ["| detector | " + " | ".join(heads) + " | CPU ms per picture |", "|---" * (len(SETS) + 2) + "|"]
    tallies: dict[str, dict[str, Tally]] = {}
    for name, settings in ROWS.items():
        needed = {settings.get("detector"), settings.get("landmarks")} & {"yunet", "blaze", "mesh"}
        if any(model_files.find(model) is None for model in needed):
            lines.append(f"| {name} | its file is not on this machine |" + " |" * len(SETS))
            continue
        tallies[name], spent = measured(settings, photos)
        lines.append(f"| {name} | " + " | ".join(map(str, tallies[name].values())) + f" | {spent:.0f} |")
    lines += ["", "| what the scores take away | " + " | ".join(heads) + " |", "|---" * (len(SETS) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(map(removed, own.values())) + " |" for name, own in tallies.items()]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    for kind in ("garments", "portraits"):  # false detections of a permissive haar, by landmarks alone
        false = tallies["haar, permissive"][kind].false
        assert false["landmarks"] <= 0.2 * false["boxes"], kind
    for when in ("haar", "haar, permissive"):
        kept, found = (sum(t.found[step] for t in tallies[when].values()) for step in ("skin", "boxes"))
        assert kept >= 0.97 * found


def measured(settings: dict[str, Any], photos: dict[str, list[Photo]]) -> tuple[dict[str, Tally], float]:
    """The tally of each set, and CPU ms per picture to find faces and their landmarks."""
    rules = {step: CropRules(**EVERY | settings | let) for step, let in STEPS.items()}
    aligner, spent = Aligner(rules["skin"]), 0.0
    tallies = {kind: Tally() for kind in photos}
    for kind, own in photos.items():
        for photo in own:
            start = time.process_time()
            seen = aligner.find(photo.image)
            spent += time.process_time() - start
            tallies[kind].add(photo, aligner.cut(photo.image, seen), rules)
    return tallies, spent * 1000 / sum(map(len, photos.values()))


def removed(tally: Tally) -> str:
    """Shares of the false boxes that the landmarks, and all scores, take away, and of the faces."""

    def share(count: Counter[str], step: str) -> str:
        return f"{100 - 100 * count[step] / count['boxes']:.0f} %" if count["boxes"] else "-"

    lost = f", {share(tally.found, 'skin')} of the faces" if tally.faces else ""
    return f"{share(tally.false, 'landmarks')}, with skin {share(tally.false, 'skin')} of the false{lost}"
