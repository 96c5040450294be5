"""Speed and memory of crop and dedup. Run with: make bench, or pytest -m bench -s tests/bench/test_crop_bench.py"""

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

from pipeline import align, crop, dedup, geometry, hashing, images, manifest, params, quality, warp
from pipeline.detectors import landmarks
from tests.bench import naive
from tests.pipeline import faces

pytestmark = pytest.mark.bench
INLINE = params.Engine(kind="inline")


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this process."""
    start = time.process_time()
    work()
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
        image = images.decode(path.read_bytes())
        for megapixels in (None, 1, 2):
            scale = (megapixels * 1e6 / (image.shape[0] * image.shape[1])) ** 0.5 if megapixels else 1.0
            how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
            resized = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how), np.uint8)
            made.append(folder / f"{n:02}-{megapixels}.jpg")
            made[-1].write_bytes(images.encode_jpeg(resized, 89))
    return made


def test_crop_against_the_naive_script(photos: list[Path], tmp_path: Path) -> None:
    cv2.setNumThreads(1)
    script = naive.load()
    landmarks.load()
    faces.table(tmp_path, {"people": [path.read_bytes() for path in photos]})
    (tmp_path / "naive").mkdir()
    hits = []
    slow = cpu(lambda: hits.extend(script(path, tmp_path / "naive" / f"{path.stem}.png") for path in photos))
    summary = None

    def ours() -> None:
        nonlocal summary
        summary = crop.run(params.Crop(), tmp_path, engine=INLINE)
        dedup.run(params.Dedup(), tmp_path, engine=INLINE)

    fast = cpu(ours)
    assert summary is not None
    show(
        "crop + hash against naive, one core",
        photos=len(photos),
        mean_megapixels=round(float(np.mean([np.prod(Image.open(p).size) for p in photos])) / 1e6, 2),
        naive={"faces": sum(hits), "images_per_cpu_s": round(len(photos) / slow, 2)},
        ours={"faces": summary.accepted, "images_per_cpu_s": round(len(photos) / fast, 2)},
        ratio=round(slow / fast, 1),
        steps_ms=steps(photos),
    )
    assert summary.accepted >= sum(hits) * 0.95


def steps(photos: list[Path]) -> dict[str, float]:
    """CPU ms per photo of each step of ours."""
    rules = params.CropRules()
    aligner = align.Aligner(rules)
    assert aligner.detect is not None and aligner.find_landmarks is not None
    spent: Counter[str] = Counter()

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.process_time()
        result = work(*arguments)
        spent[name] += time.process_time() - start
        return result

    for path in photos:
        image = timed("decode", images.decode, path.read_bytes())
        for face in timed("detect", aligner.detect, image)[:1]:
            points = timed("landmarks", aligner.find_landmarks, image, face.box, 0.0).points
            affine = geometry.quad_affine(geometry.ffhq_quad(points), rules.size)
            cut = timed("cut", warp.cut, image, affine, rules.size, warp.FFHQ_CLEARANCE)
            timed("measure", quality.measure, cut)
            timed("encode", images.encode_png, cut)
            timed("hash", hashing.phash, cut)
    return {name: round(value * 1000 / len(photos), 2) for name, value in spent.items()}


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
    pictures = [faces.photo(seed)[:256, :256] for seed in range(20)] * 5
    theirs = cpu(lambda: [imagehash.phash(Image.fromarray(picture)) for picture in pictures])
    ours = cpu(lambda: hashing.phashes(pictures))
    show("phash of 256 px, CPU us", imagehash=round(theirs * 1e4), ours=round(ours * 1e4))


PEAK = """
import resource, sys
from pathlib import Path
from pipeline import crop, params
crop.run(params.Crop(), Path(sys.argv[1]), engine=params.Engine(kind="inline"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    figures = {}
    for count in (50, 500):
        root = tmp_path / str(count)
        faces.table(root, {"people": [faces.png(faces.photo(seed)) for seed in range(10)]})
        rows = manifest.read(manifest.IMAGES, root).to_pylist()
        many = [row | {"candidate_id": f"{n}{row['image_id']}", "image_id": f"{n}{row['image_id']}"}
                for n in range(count // 10) for row in rows]  # fmt: skip
        manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, many), root)
        command = [sys.executable, "-c", PEAK, str(root)]
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        figures[count] = float(done.stdout)
    show("peak memory of crop, MiB", **{f"{count} images": round(mib) for count, mib in figures.items()})
    assert figures[500] < figures[50] * 1.1
