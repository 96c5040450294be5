"""Where the eyes of drawn faces come to lie, aligned by eyes and chin and by the box alone. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_drawn_bench.py

Prints the table of docs/guide/detectors.md. The eyes were marked by a person on enlarged pictures, to about 2 px of a
crop of 256; of closed ones the middle of the line.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces.alignment import Aligner, Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec, geometry

pytestmark = pytest.mark.bench

BOX, EYES = "`animeface`, `align: box`", "`animeface`, `align: anime`"
MARKED = {  # left and right eye as seen: x, y, x, y in raw px
    "tadne_r1c0": (175, 240, 286, 238),
    "tadne_r1c4": (229, 259, 348, 230),
    "tadne_r2c4": (166, 162, 232, 140),
    "tadne_r3c0": (147, 179, 234, 170),
    "tadne_r3c5": (328, 198, 391, 184),
    "tadne_r4c1": (212, 183, 291, 209),
    "tadne_r4c4": (223, 207, 329, 207),
    "tadne_r4c5": (241, 127, 293, 142),
    "tadne_r5c0": (163, 165, 257, 158),
    "tadne_r5c1": (196, 105, 267, 108),
    "eileen_concerned": (118, 175, 203, 176),
    "eileen_happy": (115, 171, 202, 172),
    "eileen_vhappy": (114, 171, 201, 171),
    "lucy_happy": (177, 178, 249, 178),
    "sylvie_blue_giggle": (130, 105, 188, 104),
    "sylvie_blue_normal": (128, 101, 187, 100),
    "sylvie_blue_smile": (127, 101, 187, 99),
    "sylvie_blue_surprised": (128, 101, 187, 99),
    "sylvie_green_giggle": (156, 107, 213, 107),
    "sylvie_green_normal": (156, 102, 214, 100),
    "sylvie_green_smile": (156, 102, 213, 100),
    "sylvie_green_surprised": (156, 102, 214, 100),
}


class Spread(NamedTuple):
    """Standard deviation of the eyes' centres over crops, px of 256, and their mean distance."""

    px: float
    distance: float

    @property
    def share(self) -> float:
        """The same in distances of the eyes: of crops that show less of a head it is as much."""
        return self.px / self.distance


def spread(cuts: list[Cut], eyes: list[NDArray[np.float64]]) -> Spread:
    there = np.array([geometry.apply(cut.affine, points) for cut, points in zip(cuts, eyes, strict=True)])
    return Spread(float(np.sqrt(there.var(axis=0).mean())), float((there[:, 1, 0] - there[:, 0, 0]).mean()))


def seen(cut: Cut) -> NDArray[np.float64]:
    assert cut.detected is not None and cut.detected.face.parts is not None
    parts = cut.detected.face.parts
    return np.array([parts.left_eye.centre, parts.right_eye.centre])


def test_eyes_lie_closer_together_when_aligned_by_them() -> None:
    folder = Path(os.environ.get("CURATE_DATA", ""))
    files = {path.stem: path for path in (*folder.glob("anime_renpy/*"), *folder.glob("anime_generated/*"))}
    photos = [codec.decode(files[name].read_bytes()) for name in MARKED if name in files]
    if not photos:
        pytest.skip("CURATE_DATA is not set")
    marked = [np.array(points, float).reshape(2, 2) for points in MARKED.values()]
    try:
        finders = {
            "`anime`, `align: box`": Aligner(CropRules(detector="anime")),
            BOX: Aligner(CropRules(detector="animeface", align="box")),
            EYES: Aligner(CropRules(detector="animeface")),
        }
    except ModelError as error:
        pytest.skip(error.message)
    found: dict[str, Spread] = {}
    own: dict[str, Spread] = {}
    for name, find in finders.items():
        cuts = [next(cut for cut in find(photo) if cut.reason == "ok") for photo in photos]
        found[name] = spread(cuts, marked)
        line = f"| {name} | {found[name].px:.1f} | {found[name].distance:.0f} | {found[name].share:.3f} | "
        if "animeface" in name:
            own[name] = spread(cuts, [seen(cut) for cut in cuts])
            line += f"{own[name].px:.1f} | {own[name].share:.3f} |"
        sys.stdout.write(line + "\n")
    assert own[EYES].px <= own[BOX].px / 3
    assert min(found, key=lambda name: found[name].share) == EYES
