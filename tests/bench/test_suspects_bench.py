"""How many of the crops that were put into the wrong domain head the list, by each net: the table of choosing.md.

CURATE_DATA=... pytest -m bench -s tests/bench/test_suspects_bench.py

The drawn world needs a root that was scraped, cropped and deduplicated, in CURATE_SUSPECTS_ROOT; the real sets stand
below CURATE_DATA.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.core.progress import SILENT
from curate.pipeline.imaging import codec
from curate.pipeline.review import crop_features, neighbours
from curate.pipeline.review.crop_features import CropPicture
from curate.pipeline.tables import crop_status, manifest
from curate.train.cli import suspects

pytestmark = pytest.mark.bench

SHARE, LOOKED_AT, SEEDS = 0.05, 0.07, 3
Codes = NDArray[np.int64]


def found(features: neighbours.Features, truth: Codes, seed: int) -> float:
    """The share of swapped crops among the first LOOKED_AT of the list."""
    rng, given = np.random.default_rng(seed), truth.copy()
    swapped = rng.choice(len(truth), round(SHARE * len(truth)), replace=False)
    given[swapped] = 1 - given[swapped]
    order = neighbours.vote(neighbours.directions(features), given, []).order
    return float(np.isin(swapped, order[: round(LOOKED_AT * len(truth))]).mean())


def drawn(net: str) -> tuple[neighbours.Features, Codes]:
    root = Path(os.environ.get("CURATE_SUSPECTS_ROOT", ""))
    if "CURATE_SUSPECTS_ROOT" not in os.environ:
        pytest.skip("CURATE_SUSPECTS_ROOT is not set")
    crops = manifest.accepted(crop_status.crop_statuses(root, ("landmarks", "affine")))
    crops = manifest.filter_domains(manifest.CROPS, crops, ["long", "short"], root)
    codes = np.array([domain == "long" for domain in crops["domain"].to_pylist()], np.int64)
    return crop_features.of_crops(crops, suspects.load(net), root, SILENT), codes


def folders(first: str, second: str, net: str) -> tuple[neighbours.Features, Codes]:
    data = Path(os.environ.get("CURATE_DATA", "")) / "train"
    if not (data / first).is_dir():
        pytest.skip("CURATE_DATA has no train/")
    shown = [list(pictures(data / name, faces=net == "dlib")) for name in (first, second)]
    crops, load = [*shown[0], *shown[1]], suspects.load(net)
    parts = [load(crops[start : start + 16]) for start in range(0, len(crops), 16)]
    return np.concatenate(parts), np.repeat([0, 1], [len(part) for part in shown])


def pictures(folder: Path, *, faces: bool) -> Iterator[CropPicture]:
    """The square of each picture; where `faces` are wanted, those with one, where dlib sees it."""
    from curate.pipeline.faces.config import CropRules
    from curate.pipeline.faces.detectors import DETECTORS
    from curate.pipeline.faces.landmarkers import dlib68

    find, detect = (dlib68.load(), DETECTORS.resolve("hog")(CropRules())) if faces else (None, None)
    for path in sorted(folder.iterdir()):
        try:
            rgb = codec.decode(path.read_bytes())
        except codec.ImageError:
            continue
        side = min(rgb.shape[:2])
        left = (rgb.shape[1] - side) // 2
        rgb = cv2.resize(rgb[:side, left : left + side], (256, 256), interpolation=cv2.INTER_AREA)
        if find is None or detect is None:
            yield CropPicture(np.asarray(rgb, np.uint8), None)
        elif boxes := detect(rgb):
            yield CropPicture(np.asarray(rgb, np.uint8), find(rgb, boxes[0].box, 0.0).points)


SETS: dict[str, Callable[[str], tuple[neighbours.Features, Codes]]] = {
    "drawn": drawn,
    "portraits": partial(folders, "portraits_colour/men", "portraits_colour/women"),
    "garments": partial(folders, "clothing_cc0/t-shirt", "clothing_cc0/longsleeve"),
}
LEAST = {("drawn", "lite0"): 0.9, ("portraits", "lite0"): 0.9}


@pytest.mark.parametrize("net", suspects.NETS)
@pytest.mark.parametrize("name", SETS)
def test_swapped_crops_head_the_list(name: str, net: str, record_property: Callable[[str, object], None]) -> None:
    if (name, net) == ("garments", "dlib"):
        pytest.skip("garments have no faces")
    try:
        features, truth = SETS[name](net)
    except ModelError as error:
        pytest.skip(error.message)
    shares: Sequence[float] = [found(features, truth, seed) for seed in range(SEEDS)]
    record_property("found", shares)
    told = ", ".join(f"{share:.0%}" for share in shares)
    sys.stdout.write(f"{name} {net}: {len(truth)} crops, {np.mean(shares):.0%} ({told})\n")
    assert np.mean(shares) >= LEAST.get((name, net), 0.0)
