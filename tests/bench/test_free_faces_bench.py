"""BlazeFace and the face mesh beside hog and dlib's 68 points: faces found, FFHQ's square, photos per second. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_free_faces_bench.py

prints the tables of docs/internals/benchmarks.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from curate.pipeline.faces import skin
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.faces.ffhq import ffhq_quad, roll
from curate.pipeline.faces.pose import yaw_pitch
from curate.pipeline.imaging import codec, geometry
from curate.pipeline.imaging.geometry import Points
from tests.bench import truth

pytestmark = pytest.mark.bench

WAYS = {"hog, dlib68": CropRules(detector="hog"), "blaze, mesh": CropRules(detector="blaze", landmarks="mesh")}
ROUNDS = 3  # the ways take turns, and the middle of three counts


@pytest.fixture(autouse=True)
def _one_thread(model_file: Callable[[str], Path]) -> None:
    model_file("blaze")
    cv2.setNumThreads(1)


def decoded(paths: Iterable[Path]) -> list[codec.RGB]:
    return [codec.decode(path.read_bytes()) for path in sorted(paths)]


def say(*lines: str) -> None:
    sys.stdout.write("\n" + "\n".join(lines) + "\n")


def test_grey_portraits_are_found(data: Path) -> None:
    photos = decoded((data / "portraits_gray").rglob("*.jpg"))
    for name, rules in WAYS.items():
        aligner = Aligner(rules)
        found = [sum(cut.reason == "ok" for cut in aligner(photo)) for photo in photos]
        say(f"{name}: {sum(map(bool, found))} of {len(photos)} grey portraits")
        assert name != "blaze, mesh" or sum(map(bool, found)) >= 128


class Pair(NamedTuple):
    """One face as two ways place it, and its luma."""

    theirs: Points
    ours: Points
    luma: float

    @property
    def away(self) -> tuple[float, float, float, float]:
        """Of ours from theirs: middle and corners of the square in its sides, ratio of the sides, roll in degrees."""
        one, two = ffhq_quad(self.theirs), ffhq_quad(self.ours)
        side = geometry.quad_side(one)
        middle = np.hypot(*(two.mean(axis=0) - one.mean(axis=0))) / side
        corner = np.hypot(*(two - one).T).mean() / side
        return float(middle), float(corner), geometry.quad_side(two) / side, abs(roll(self.ours) - roll(self.theirs))


def pairs(photos: list[codec.RGB], theirs: CropRules, ours: CropRules) -> list[Pair]:
    """The largest face of each photo on which both find one."""
    first, second = Aligner(theirs), Aligner(ours)
    found = []
    for photo in photos:
        one, two = (largest(way.find(photo)) for way in (first, second))
        if one is None or two is None or one.landmarks is None or two.landmarks is None:
            continue
        if geometry.overlap(one.face.box, two.face.box) > 0.2:
            found.append(Pair(one.landmarks, two.landmarks, luma(photo, one)))
    return found


def largest(found: list[DetectedFace]) -> DetectedFace | None:
    return max(found, key=lambda one: one.face.box.side, default=None)


def luma(photo: codec.RGB, face: DetectedFace) -> float:
    """The median luma of skin in the middle of the face."""
    box = face.face.box
    part = photo[int(max(box.y, 0)) : int(box.y + box.height), int(max(box.x, 0)) : int(box.x + box.width)]
    grey, there = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), skin.mask(np.ascontiguousarray(part))
    return float(np.median(grey[there] if there.any() else grey))


def line(name: str, some: list[Pair]) -> str:
    values = np.array([pair.away for pair in some])
    middle, corner, _, lean = (f"{np.median(v):.4f} / {np.percentile(v, 95):.4f}" for v in values.T)
    sides = " / ".join(f"{value:.3f}" for value in np.percentile(values[:, 2], [5, 50, 95]))
    return f"| {name} | {len(some)} | {middle} | {corner} | {sides} | {lean} |"


def test_ffhq_s_square(data: Path) -> None:
    photos = decoded((data / "train/portraits_colour").rglob("*.jpg"))[::3]
    photos += decoded((data / "portraits_gray").rglob("*.jpg"))[::3]
    photos += decoded(p for p in (data / "face_recognition_tests").glob("*.jpg") if "partial" not in p.name)
    found = pairs(photos, *WAYS.values())
    yaws = np.abs(yaw_pitch(np.array([pair.theirs for pair in found]))[:, 0])
    dark = np.percentile([pair.luma for pair in found], 10)
    lines = [
        "| faces | n | middle, sides: median / 95 % | corners, the same | side: 5 % / median / 95 % | roll, degrees |",
        "|---" * 6 + "|",
        line("portraits, blaze and mesh beside hog and dlib68", found),
        line("of them the darkest tenth", [pair for pair in found if pair.luma <= dark]),
        line("of them turned by 12 degrees and more", [p for p, yaw in zip(found, yaws, strict=True) if yaw >= 12]),
        line("portraits, haar and dlib68 beside hog and dlib68", pairs(photos, WAYS["hog, dlib68"], CropRules())),
    ]
    say(*lines)
    middle, _, side, _ = np.median([pair.away for pair in found], axis=0)
    assert middle <= 0.01 and abs(side - 1) <= 0.01


def test_photos_per_second(data: Path) -> None:
    sets = {
        "colour portraits": decoded((data / "train/portraits_colour").rglob("*.jpg"))[::8],
        "grey portraits": decoded((data / "portraits_gray").rglob("*.jpg"))[::3],
        "groups": [photo.image for photo in truth.annotated(data)],
        "garments": decoded((data / "clothing_cc0").rglob("*.jpg"))[::3],
    }
    lines = ["| photos | n | faces | " + " | ".join(WAYS) + " | times |", "|---" * 6 + "|"]
    for kind, photos in sets.items():
        for faces in ("largest", "all"):
            ways = [Aligner(CropRules(detector=r.detector, landmarks=r.landmarks, faces=faces)) for r in WAYS.values()]
            spent = np.median([[cost(way, photos) for way in ways] for _ in range(ROUNDS)], axis=0)
            one, two = len(photos) / spent
            lines.append(f"| {kind} | {len(photos)} | {faces} | {one:.1f} | {two:.1f} | {two / one:.2f} |")
    say(*lines, "photos per CPU second, to find faces and their landmarks")


def cost(way: Aligner, photos: list[codec.RGB]) -> float:
    start = time.process_time()
    for photo in photos:
        way.find(photo)
    return time.process_time() - start
