"""Speed and memory of crop and dedup. Run with:

CURATE_DATA=... pytest -m bench -s tests/bench/test_crop_bench.py

CURATE_DLIB_FACES names a folder with all nine of dlib's annotated photos, CURATE_FFHQ_SCRIPT the official alignment
(see official.py); without them four photos and a leaner alignment stand in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
import pytest
from PIL import Image

from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.faces import alignment, skin
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import ensemble
from curate.pipeline.faces.ffhq import ffhq_quad
from curate.pipeline.faces.landmarkers import LANDMARKERS
from curate.pipeline.hashing import phash
from curate.pipeline.imaging import codec, geometry, quality, warp
from curate.pipeline.tables import manifest
from tests.bench import naive, official, truth
from tests.bench.truth import annotated
from tests.support import drawn_people

pytestmark = pytest.mark.bench
INLINE = Engine(kind="inline")


def cpu(work: Callable[..., Any], *arguments: Any) -> float:
    """CPU seconds of this process."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def show(name: str, **figures: Any) -> None:
    sys.stdout.write("\n" + json.dumps({"bench": name, **figures}) + "\n")


@pytest.fixture(scope="module")
def photos(data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """26 photos of people, each as it is and resized to 1 and to 2 megapixels."""
    found = [*(data / "dlib_faces").glob("*.jpg"), *(data / "face_recognition_tests").glob("*.*g")]
    found = sorted(found) + sorted((data / "train" / "portraits_colour").rglob("*.jpg"))[::30][:15]
    folder, made = tmp_path_factory.mktemp("photos"), []
    for n, path in enumerate(found):
        image = codec.decode(path.read_bytes())
        for megapixels in (None, 1, 2):
            scale = (megapixels * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5 if megapixels else 1.0
            how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            resized = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how), np.uint8)
            made.append(folder / f"{n:02}-{megapixels}.jpg")
            made[-1].write_bytes(codec.encode_jpeg(resized, 89))
    return made


CONFIGS: dict[str, dict[str, Any]] = {"haar": {}, "hog": {"detector": "hog"}}


def test_crop_against_the_naive_script(photos: list[Path], data: Path, tmp_path: Path) -> None:
    """The naive script takes the photos by halves, before ours and after: what else the machine does falls on both."""
    cv2.setNumThreads(1)
    for settings in CONFIGS.values():
        alignment.Aligner(CropRules(**settings))(drawn_people.photo(1))  # models are loaded once, and photos are many
    targets = tmp_path / "naive"
    targets.mkdir()
    spent = Counter({"naive": naively(photos[::2], targets, tmp_path)})
    cut = Counter[str]()
    for name, settings in CONFIGS.items():
        root = tmp_path / name
        drawn_people.table(root, {"people": [path.read_bytes() for path in photos]})
        spent[name] = cpu(whole_stage, root, settings)
        cut[name] = manifest.accepted(manifest.read(manifest.CROPS, root)).num_rows
    spent["naive"] += naively(photos[1::2], targets, tmp_path)
    cut["naive"] = len(list(targets.glob("*.png")))
    known = annotated(data)
    for name in ("naive", *CONFIGS):
        found = recall(known, naive.boxes if name == "naive" else standing(CONFIGS[name]))
        show(
            f"crop + hash, one core: {name}",
            photos=len(photos),
            faces=cut[name],
            images_per_cpu_s=round(len(photos) / spent[name], 2),
            times_the_naive=round(spent["naive"] / spent[name], 1),
            annotated=found,
            annotated_when_all_are_wanted=found if name == "naive" else recall(known, standing(CONFIGS[name], "all")),
            steps_ms={} if name == "naive" else steps(photos, CropRules(**CONFIGS[name])),
        )
    show(
        "the photos",
        alignment="official" if os.environ.get("CURATE_FFHQ_SCRIPT") else "Pillow, unpadded",
        mean_megapixels=round(float(np.mean([np.prod(Image.open(p).size) for p in photos])) / 1e6, 2),
    )
    assert min(cut[name] for name in CONFIGS) >= cut["naive"] * 0.95


def naively(photos: list[Path], targets: Path, folder: Path) -> float:
    """CPU seconds of the naive script over `photos`, without loading its models."""
    with official.script(folder) as module:
        script = naive.load(module)
        return cpu(lambda: [script(path, targets / f"{path.stem}.png") for path in photos])


def whole_stage(root: Path, settings: dict[str, Any]) -> None:
    """Crop and dedup, from files to tables."""
    crop.run(Crop(**settings), root, engine=INLINE)
    dedup.run(Dedup(), root, engine=INLINE)


def standing(settings: dict[str, Any], wanted: str = "largest") -> Callable[[codec.RGB], list[geometry.Box]]:
    """The boxes that count as faces, whether or not they are the largest, of 20 px and more."""
    aligner = alignment.Aligner(CropRules(**settings, faces=wanted, min_face=20, max_upscale=1e6, max_padding=1.0))
    return lambda image: [c.box for c in aligner(image) if c.box is not None and c.reason in {"ok", "not_largest"}]


def recall(photos: list[truth.Photo], find: Callable[[codec.RGB], list[geometry.Box]]) -> str:
    """How many of the faces that people or tools have boxed are found, and what else is."""
    tally = Counter(boxed=0, found=0, false=0)
    for image, boxes in photos:
        assert isinstance(boxes, list)
        found = find(image)
        tally["boxed"] += len(boxes)
        tally["found"] += sum(any(geometry.overlap(box, true) >= 0.3 for box in found) for true in boxes)
        tally["false"] += sum(all(geometry.overlap(box, true) < 0.3 for true in boxes) for box in found)
    return f"{tally['found']} of {tally['boxed']}, {tally['false']} false"


def steps(photos: list[Path], rules: CropRules) -> dict[str, float]:
    """CPU ms per photo of each step of ours, for every face that is found; the better of two runs."""
    detect, find_landmarks = ensemble.load(rules), LANDMARKERS.resolve(rules.landmarks)()
    spent: Counter[str] = Counter()

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        taken = []
        for _ in range(2):
            start = time.process_time()
            result = work(*arguments)
            taken.append(time.process_time() - start)
        spent[name] += min(taken)
        return result

    for path in photos:
        image = timed("decode", codec.decode, path.read_bytes())
        cuts = []
        for face in timed("detect", detect, image):
            if face.box.side < rules.min_face:
                continue
            points = timed("landmarks and unrest", find_landmarks, image, face.box, 0.0).points
            affine = geometry.quad_affine(ffhq_quad(points), rules.size)
            cuts.append(timed("cut", warp.cut, image, affine, rules.size, warp.FFHQ_CLEARANCE))
            timed("measure", quality.measure, cuts[-1])
            timed("skin", skin.shares, image, face.box)
        if cuts:
            png = timed("encode", codec.encode_png, cuts[0])
            timed("decode and hash of the crop", lambda png=png: phash.phash(codec.decode(png)))
    return {name: round(value * 1000 / len(photos), 2) for name, value in spent.items()}


WORKERS = """
import json, resource, sys, time
from pathlib import Path
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
if __name__ == "__main__":
    section = Crop(**json.loads(sys.argv[2]))
    start = time.perf_counter()
    crop.run(section, Path(sys.argv[1]), engine=Engine(kind="process", workers=int(sys.argv[3])))
    wall = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps([wall, *(own.ru_utime + own.ru_stime for own in used)]))
"""


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
def test_two_cores_against_one(photos: list[Path], tmp_path: Path, settings: dict[str, Any]) -> None:
    """Wall time: run it on a machine that does nothing else. Start-up of the workers is included."""
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    figures: dict[int, list[float]] = {}
    for workers in (1, 2):
        root = tmp_path / str(workers)
        drawn_people.table(root, {"people": [path.read_bytes() for path in photos]})
        repeated(root, int(os.environ.get("CURATE_BENCH_IMAGES", "1560")))
        command = [sys.executable, str(script), str(root), json.dumps(settings), str(workers)]
        environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        figures[workers] = json.loads(done.stdout.splitlines()[-1])
    named = {
        f"{workers} workers": {
            "wall_s": round(wall, 1),
            "cpu_s_parent": round(own, 1),
            "cpu_s_workers": round(theirs, 1),
        }
        for workers, (wall, own, theirs) in figures.items()
    }
    show("crop on two cores", settings=settings, **named, times_faster=round(figures[1][0] / figures[2][0], 2))


def repeated(root: Path, count: int) -> None:
    """Makes images.parquet name `count` images: its own, again and again under other names."""
    rows = manifest.read(manifest.IMAGES, root).to_pylist()
    many = []
    for n in range(count):
        row = rows[n % len(rows)]
        many.append(row | {key: f"{n:06}{row[key]}" for key in ("candidate_id", "image_id")})
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, many), root)


def test_aligning_by_size_of_the_face() -> None:
    cv2.setNumThreads(1)
    image = np.random.default_rng(1).integers(0, 256, (4000, 4000, 3), np.uint8)
    figures = {}
    for side in (120, 250, 500, 1000, 3000):
        for place, at in (("inside", 500.0), ("at the edge", -side / 5)):
            affine = geometry.quad_affine(geometry.box_quad(geometry.Box(at, 400, side, side), rotate=7), 256)
            spent = cpu(lambda affine=affine: [warp.cut(image, affine, 256) for _ in range(20)])
            figures[f"{side} px {place}"] = round(spent / 20 * 1000, 2)
    show("cut to 256 px, CPU ms per face", **figures)


def test_hashing_against_imagehash() -> None:
    pictures = [drawn_people.photo(seed)[:256, :256] for seed in range(20)] * 5
    theirs = cpu(lambda: [imagehash.phash(Image.fromarray(picture)) for picture in pictures])
    ours = cpu(lambda: phash.phashes(pictures))
    show("phash of 256 px, CPU us", imagehash=round(theirs * 1e4), ours=round(ours * 1e4))


PEAK = """
import resource, sys
from pathlib import Path
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
crop.run(Crop(), Path(sys.argv[1]), engine=Engine(kind="inline"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    figures = {}
    for count in (50, 500):
        root = tmp_path / str(count)
        drawn_people.table(root, {"people": [drawn_people.png(drawn_people.photo(seed)) for seed in range(10)]})
        repeated(root, count)
        command = [sys.executable, "-c", PEAK, str(root)]
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        figures[count] = float(done.stdout)
    show("peak memory of crop, MiB", **{f"{count} images": round(mib) for count, mib in figures.items()})
    assert figures[500] < figures[50] * 1.1
