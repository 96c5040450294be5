"""Our FFHQ alignment beside the official one: likeness and time. Run with:

CURATE_DATA=... CURATE_FFHQ_SCRIPT=/path/to/download_ffhq.py pytest -m bench -s tests/bench/test_align_bench.py

The script is a public copy, see official.py. Prints the table of docs/internals/benchmarks.md.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from curate.pipeline.faces.alignment import Aligner
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.ffhq import ffhq_quad
from curate.pipeline.imaging import codec, geometry, warp
from tests.bench import official
from tests.bench.likeness import psnr, ssim

pytestmark = pytest.mark.bench
SIZE, TRANSFORM = 256, 4096
REPEATS = 5  # of ours; the official one is slow enough to be timed once

Official = Callable[[Path, geometry.Points], tuple[NDArray[np.uint8], float]]


class Face(NamedTuple):
    """One face to align, the key of its committed reference if it has one."""

    photo: Path
    points: geometry.Points
    key: str | None = None


class Measured(NamedTuple):
    """What aligning one face both ways gave: CPU ms without decoding and saving."""

    kind: str
    theirs: float
    ours: float
    psnr: float
    ssim: float


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Official]:
    """(photo, landmarks) -> the official crop and the CPU ms it took, by the script's own function, unchanged."""
    folder = tmp_path_factory.mktemp("official")
    with official.script(folder) as module:
        if module is None:
            pytest.skip("CURATE_FFHQ_SCRIPT is not set: download_ffhq.py of NVlabs/ffhq-dataset is needed")
        yield lambda photo, points: _officially(module, folder / "out", photo, points)


def _officially(module: Any, folder: Path, photo: Path, points: geometry.Points) -> tuple[NDArray[np.uint8], float]:
    with PIL.Image.open(photo) as opened:
        decoded = opened.convert("RGB")
    kept: list[PIL.Image.Image] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PIL.Image, "open", lambda path: decoded)
        patch.setattr(PIL.Image.Image, "save", lambda image, path: kept.append(image))
        start = time.process_time()
        official.align(module, photo, points, folder, SIZE, TRANSFORM)
        spent = time.process_time() - start
    return np.asarray(kept[0], np.uint8), spent * 1000


def annotated(data: Path) -> Iterator[Face]:
    """The faces that people or tools put 68 landmarks on, with the official crops that are kept of them."""
    known = json.loads((data / "ffhq_reference" / "landmarks.json").read_text("utf-8"))
    for key, entry in known.items():
        points = np.array(entry["in_the_wild"]["face_landmarks"], np.float64)
        yield Face(data / "dlib_faces" / Path(entry["in_the_wild"]["file_path"]).name, points, key)


def others(data: Path) -> Iterator[Face]:
    """Larger faces, with the landmarks that our own predictor finds."""
    aligner = Aligner(CropRules(detector="hog"))
    photos = sorted((data / "face_recognition_tests").glob("*.jpg"))
    photos += sorted((data / "train/portraits_colour").rglob("*.jpg"))[::40]
    for photo in photos:
        for seen in aligner.find(codec.decode(photo.read_bytes()))[:1]:
            if seen.landmarks is not None:
                yield Face(photo, seen.landmarks)


def ours(photo: NDArray[np.uint8], points: geometry.Points) -> NDArray[np.uint8]:
    return warp.cut(photo, geometry.quad_affine(ffhq_quad(points), SIZE), SIZE, warp.FFHQ_CLEARANCE)


def measured(face: Face, aligned: Official) -> Measured:
    photo = codec.decode(face.photo.read_bytes())
    theirs, spent = aligned(face.photo, face.points)
    start = time.process_time()
    for _ in range(REPEATS):
        crop = ours(photo, face.points)
    own = (time.process_time() - start) / REPEATS * 1000
    return Measured(_kind(photo, face.points), spent, own, psnr(crop, theirs), ssim(crop, theirs))


def _kind(photo: NDArray[np.uint8], points: geometry.Points) -> str:
    quad = ffhq_quad(points)
    side = geometry.quad_side(quad)
    rim = max(0.1 * side, 3)  # nearer to the edge than this by more than 4 px, it pads
    room = min(quad.min(), *(np.array(photo.shape[1::-1]) - 1 - quad.max(axis=0)))
    if room < min(4, rim):
        return "at the edge"
    return "side < 256 px" if side < 256 else "side 256-512 px" if side < 512 else "side > 512 px"


def _line(name: str, found: list[Measured]) -> str:
    def some(values: list[float], digits: int) -> str:
        return f"{np.median(values):.{digits}f} / {min(values):.{digits}f}"

    theirs, own = [m.theirs for m in found], [m.ours for m in found]
    ratios = [a / b for a, b in zip(theirs, own, strict=True)]
    return (
        f"| {name} | {len(found)} | {np.median(theirs):.0f} | {np.median(own):.2f} | "
        f"{np.median(ratios):.0f} / {min(ratios):.0f} | {sum(theirs) / sum(own):.0f} | "
        f"{some([m.psnr for m in found], 1)} | {some([m.ssim for m in found], 4)} |"
    )


def test_likeness_and_time_beside_the_official_alignment(data: Path, aligned: Official) -> None:
    cv2.setNumThreads(1)
    faces = [*annotated(data), *others(data)]
    aligned(faces[0].photo, faces[0].points)  # what loads late is loaded
    found = [measured(face, aligned) for face in faces]
    lines = [
        "| faces | n | official, CPU ms, median | ours, CPU ms, median | times faster: median / least | in total | "
        "PSNR dB: median / least | SSIM: median / least |",
        "|---" * 8 + "|",
    ]
    for kind in sorted({m.kind for m in found}):
        lines.append(_line(kind, [m for m in found if m.kind == kind]))
    known = sum(face.key is not None for face in faces)
    lines.append(_line("annotated", found[:known]))
    lines.append(_line("all", found))
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    values = [m.psnr for m in found]
    assert np.median(values) >= 46
    assert min(values) >= 39


def test_likeness_to_the_official_crops_that_are_kept(data: Path) -> None:
    values = []
    for face in annotated(data):
        assert face.key is not None
        kept = codec.decode((data / "ffhq_reference" / f"{int(face.key):05}.png").read_bytes())
        crop = ours(codec.decode(face.photo.read_bytes()), face.points)
        values.append((psnr(crop, kept), ssim(crop, kept)))
    found = np.array(values)
    sys.stdout.write(f"\n{len(found)} kept crops: PSNR and SSIM, median {np.median(found, axis=0).round(4)}, ")
    sys.stdout.write(f"least {found.min(axis=0).round(4)}\n")
    assert np.median(found[:, 0]) >= 46
    assert found[:, 0].min() >= 39


def test_ssim_is_that_of_the_paper() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    assert ssim(noise, 255 - noise) < 0
    flat = [np.full((64, 64, 3), value, np.uint8) for value in (100, 140)]
    c1 = (0.01 * 255) ** 2
    assert ssim(*flat) == pytest.approx((2 * 100 * 140 + c1) / (100**2 + 140**2 + c1))
    assert psnr(*flat) == pytest.approx(20 * np.log10(255 / 40))
