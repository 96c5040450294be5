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


class Photo(NamedTuple):
    """A picture, and its faces: boxes, or how many there are."""

    image: NDArray[np.uint8]
    truth: list[Box] | int


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


def demo() -> Iterator[Photo]:
    for seed in range(30):
        yield Photo(faces.photo(seed), [Box(*faces.person(seed).places().face)])


def annotated(data: Path) -> Iterator[Photo]:
    folder = data / "dlib_faces"
    for entry in ET.parse(folder / "training_with_face_landmarks.xml").iter("image"):
        if (path := folder / entry.attrib["file"]).is_file():
            boxes = [Box(*(float(box.attrib[key]) for key in ("left", "top", "width", "height")))
                     for box in entry.iter("box")]  # fmt: skip
            yield Photo(images.decode(path.read_bytes()), boxes)


def portraits(data: Path) -> Iterator[Photo]:
    """One person in each: a second box is false."""
    colour = sorted((data / "train/portraits_colour").rglob("*.jpg"))[4::10]
    for path in [*sorted((data / "portraits_gray").rglob("*.jpg"))[2::3], *colour]:
        yield Photo(images.decode(path.read_bytes()), 1)


def garments(data: Path) -> Iterator[Photo]:
    """Nobody in any."""
    more = sorted((data / "train/clothing_cc0").rglob("*.jpg"))[5::20]
    for path in [*sorted((data / "clothing_cc0").rglob("*.jpg")), *more]:
        yield Photo(images.decode(path.read_bytes()), 0)


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
