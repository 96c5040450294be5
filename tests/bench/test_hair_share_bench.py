"""How well hair_share tells long hair from short hair, and women's portraits from men's, and what it costs. Run with:

CURATE_DATA=... CURATE_MODELS=... pytest -m bench -s tests/bench/test_hair_share_bench.py

Prints the figures of docs/guide/detectors.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces import hair_share, model_files, person_mask
from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.landmarkers import dlib68
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import Box, Points
from tests.support import drawn_people

pytestmark = pytest.mark.bench
COUNT = 80  # pictures of each kind

Face = tuple[NDArray[np.uint8], Points]


def area_under_curve(more: Sequence[float], less: Sequence[float]) -> float:
    """The chance that one of `more` is above one of `less`, ties halved."""
    first, second = np.array(more)[:, None], np.array(less)[None]
    return float(((first > second) + 0.5 * (first == second)).mean())


def drawn(odd: bool) -> list[Face]:
    found = []
    for seed in range(2000 + odd, 2000 + odd + 2 * COUNT, 2):
        photo = drawn_people.photo(seed)
        box = Box(*drawn_people.person(seed).places().face)
        found.append((photo, dlib68.load()(photo, box, 0).points))
    return found


def portraits(kind: str) -> list[Face]:
    folder = Path(os.environ.get("CURATE_DATA", "")) / "train/portraits_colour" / kind
    find, found = Aligner(CropRules(detector="hog", max_upscale=100, max_padding=1)), []
    for path in sorted(folder.glob("*"))[-COUNT:]:
        photo = codec.decode(path.read_bytes())
        found += [(photo, cut.landmarks) for cut in find(photo) if cut.reason == "ok" and cut.landmarks is not None]
    return found


def test_hair_share_tells_long_hair_from_short() -> None:
    if model_files.find(person_mask.MODEL) is None:
        pytest.skip("the person mask's file is not on this machine")
    network = person_mask.load()

    def shares(faces: list[Face]) -> list[float]:
        start = time.process_time()
        found = [hair_share.measure(photo, points, network) for photo, points in faces]
        ms = 1000 * (time.process_time() - start) / max(len(faces), 1)
        low, middle, high = np.percentile(found, [10, 50, 90])
        sys.stdout.write(f"  {len(faces)} faces: {low:.2f} {middle:.2f} {high:.2f} (10, 50, 90 %), {ms:.0f} ms each\n")
        return found

    area = area_under_curve(shares(drawn(True)), shares(drawn(False)))
    sys.stdout.write(f"drawn, long against short: {area:.3f}\n")
    assert area > 0.9
    if women := portraits("women"):
        sys.stdout.write(f"portraits: {area_under_curve(shares(women), shares(portraits('men'))):.3f}\n")
