"""Precision and recall of dedup on planted copies, by kind of copy and radius, beside imagededup's PHash.

The pictures are colour portraits of CURATE_DATA and the demo's drawn ones, as they are and as aligned crops. Of each
set and kind of copy, every picture and its copy are compared with all others. Recall: planted pairs that are found;
precision: found pairs that show one picture. CURATE_DEDUP_PYTHON names a Python with imagededup (see test_dedup_bench);
CURATE_BENCH_PORTRAITS is how many of each kind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.dedup import fingerprints, identity, search
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.world import DrawnWorld
from curate.pipeline.faces import alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.hashing import hamming, phash
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.codec import RGB
from tests.bench.planted import CHANGES

pytestmark = pytest.mark.bench

RADII = (2, 4, 6, 8, 10, 12)
COUNT = int(os.environ.get("CURATE_BENCH_PORTRAITS", "150"))
OTHERS = os.environ.get("CURATE_DEDUP_PYTHON")
VARIANTS = {"flip": ("flip",), "turn 90": ("rot90",)}  # asked for with these copies, in a second row

HASHES = """
import json, sys
from pathlib import Path
from imagededup.methods import PHash
method = PHash(verbose=False)
paths = sorted(Path(sys.argv[1]).rglob("*.png"))
print(json.dumps({f"{path.parent.name}/{path.stem}": method.encode_image(image_file=str(path)) for path in paths}))
"""


def photos(data: Path) -> list[RGB]:
    paths = sorted((data / "train" / "portraits_colour").glob("*/*.jpg"))
    return [codec.decode(path.read_bytes()) for path in paths[:: max(len(paths) // COUNT, 1)][:COUNT]]


def drawings() -> list[RGB]:
    world = DrawnWorld(Demo(seed=11, portraits=COUNT // 2, anime=0, icons=0, garments=0))
    sound = [p for p in world.pictures.values() if p.truth.copy is None and p.truth.fault is None]
    return [codec.decode(world.encoded(p)) for p in sound if p.truth.kind == "portrait"]


def write(pictures: Mapping[str, RGB], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, rgb in pictures.items():
        (folder / f"{name}.png").write_bytes(codec.encode_png(rgb))


def show_theirs(folder: Path) -> None:
    """imagededup's scores of the sets below `folder`, a folder each, called SET @ COPIES."""
    command = [str(OTHERS), "-c", HASHES, str(folder)]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    found = {name: int(code, 16) for name, code in json.loads(output).items()}
    for one in sorted(folder.iterdir()):
        hashes = {name.split("/")[1]: code for name, code in found.items() if name.split("/")[0] == one.name}
        codes, names = np.array(list(hashes.values()), np.uint64), list(hashes)
        show(*one.name.split(" @ "), "imagededup", {r: score(hamming.within(codes, r), names) for r in RADII})


def score(pairs: Iterable[NDArray[np.int64]], names: list[str]) -> tuple[float | None, float]:
    """Precision, None when nothing was found, and recall of `pairs` of positions in `names`, KIND-NUMBER."""
    found = np.unique(hamming.gathered(pairs), axis=0)
    number = np.array([int(name.split("-")[1]) for name in names])
    right = int((number[found[:, 0]] == number[found[:, 1]]).sum())
    planted = len(names) - len(set(number.tolist()))
    return right / len(found) if len(found) else None, right / planted


def show(what: str, change: str, by: str, scores: Mapping[int, tuple[float | None, float]]) -> None:
    row = {"set": what, "copies": change, "by": by}
    found = {str(r): [None if p is None else round(p, 3), round(q, 3)] for r, (p, q) in scores.items()}
    sys.stdout.write(json.dumps(row | found) + "\n")


def compare(what: str, change: str, pictures: Mapping[str, RGB], tmp: Path) -> None:
    names = list(pictures)
    for kinds in ((), VARIANTS[change]) if change in VARIANTS else ((),):
        turns = phash.symmetries(kinds)
        marks = fingerprints.compute(list(pictures.values()), turns)
        for by, least in (("curate", Dedup().likeness), ("hash alone", 0.0)):
            scores = {}
            for radius in RADII:
                finder = search.Finder(marks, search.CopyRule(radius, least, Dedup().min_contrast, turns))
                scores[radius] = score(finder.among(np.arange(len(names))), names)
            show(what, change, " ".join((by, *kinds)), scores)
    if OTHERS:
        write(pictures, tmp / f"{what} @ {change}")


@pytest.mark.parametrize("source", ["photos", "drawings"])
def test_planted_copies(source: str, data: Path, tmp_path: Path) -> None:
    sys.stdout.write("\n")
    originals = photos(data) if source == "photos" else drawings()
    aligner = alignment.Aligner(CropRules())

    def face(rgb: RGB) -> RGB | None:
        return next((cut.image for cut in aligner.cut(rgb, aligner.find(rgb)) if cut.reason == "ok"), None)

    whole = {f"original-{n}": rgb for n, rgb in enumerate(originals)}
    crops = {name: crop for name, rgb in whole.items() if (crop := face(rgb)) is not None}
    for change, how in CHANGES.items():
        copies = {f"copy-{n}": how(rgb) for n, rgb in enumerate(originals)}
        compare(f"{source}, whole", change, whole | copies, tmp_path)
        if change != "turn 90":  # no face is found in those
            cut = {name: crop for name, rgb in copies.items() if (crop := face(rgb)) is not None}
            compare(f"{source}, aligned", change, crops | cut, tmp_path)
    if OTHERS:
        show_theirs(tmp_path)


def test_people(data: Path, tmp_path: Path) -> None:
    """Portraits of two sets, of one person where the file names are equal: pairs apart and strangers together; and how
    many pairs of strangers the hash alone and the second look take for copies."""
    sys.stdout.write("\n")
    paths = sorted([*data.glob("train/portraits_*/*/*.jpg"), *data.glob("portraits_gray/*/*.jpg")])
    aligner, embed = alignment.Aligner(CropRules()), identity.Embedder(tmp_path)
    crops, names, rows = [], [], []
    for path in paths:
        rgb = codec.decode(path.read_bytes())
        cut = next((cut for cut in aligner.cut(rgb, aligner.find(rgb)) if cut.reason == "ok"), None)
        if cut is None or cut.detected is None or cut.detected.landmarks is None:
            continue
        (tmp_path / "crop.png").write_bytes(codec.encode_png(cut.image))
        points = cut.detected.landmarks @ cut.affine[:, :2].T + cut.affine[:, 2]
        rows.append(embed([identity.FaceCrop("crop.png", points)])[0])
        crops.append(cut.image)
        names.append(path.name)
    who = np.array(names)
    i, j = np.triu_indices(len(who), 1)
    same = who[i] == who[j]
    for distance in (0.45, 0.5, 0.55, 0.6):
        group = identity.people(np.stack(rows), distance)
        together = group[i] == group[j]
        row = {"distance": distance, "apart": int((same & ~together).sum()), "of": int(same.sum())}
        row |= {"strangers_together": int((together & ~same).sum()), "pairs_of_strangers": int((~same).sum())}
        sys.stdout.write(json.dumps(row | {"largest": int(np.bincount(group).max())}) + "\n")
    marks = fingerprints.compute(crops, ())
    for radius in RADII:
        found = {}
        for by, least in (("curate", Dedup().likeness), ("hash alone", 0.0)):
            finder = search.Finder(marks, search.CopyRule(radius, least, Dedup().min_contrast))
            pairs = hamming.gathered(finder.among(np.arange(len(who))))
            found[by] = int((who[pairs[:, 0]] != who[pairs[:, 1]]).sum())
        sys.stdout.write(json.dumps({"radius": radius, "strangers_taken_for_copies": found}) + "\n")
