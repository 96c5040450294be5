"""A set of drawn portraits at 256 px that needs nothing but this repository: what a GPU is tried on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np

from curate.pipeline.demo import face, portrait
from curate.pipeline.demo.hair import Length
from curate.pipeline.imaging import codec, geometry, warp
from curate.pipeline.tables import manifest

LENGTHS: tuple[Length, ...] = tuple(length for length in get_args(Length) if length in ("long", "short"))
_DRAWN = 512  # px, sides of a portrait before it is cut


def write_dataset(root: Path, *, count: int, held_out: int = 8, size: int = 256) -> None:
    """Draws `count` portraits for each length of hair, cuts them, and writes manifests/dataset.parquet below `root`.

    `held_out` of them are the domain's val.
    """
    jobs = [(length, number) for length in LENGTHS for number in range(count)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(partial(_write, root, size, count - held_out), jobs, chunksize=8))
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), root)


def _write(root: Path, size: int, trained: int, job: tuple[Length, int]) -> dict[str, Any]:
    length, number = job
    crop_id = f"{length}-{number:04}"
    path = f"processed/crops/{crop_id}.png"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(codec.encode_png(_crop(length, number, size)))
    return {
        "crop_id": crop_id,
        "path": path,
        "source_path": f"raw/images/{crop_id}.png",
        "domain": length,
        "split": "train" if number < trained else "val",
        "cluster_id": crop_id,
        "license": "cc0-1.0",
        "status": manifest.ACCEPTED,
        "reason": manifest.OK,
    }


def _crop(length: Length, number: int, size: int) -> codec.RGB:
    """A portrait cut as FFHQ cuts: about the truth of its eyes and mouth."""
    rng = np.random.default_rng([256, LENGTHS.index(length), number])
    look = portrait.sample(rng, face.sample(rng), length, _DRAWN, _DRAWN)
    quad = geometry.square(*_square(look))
    return warp.cut(look.draw(), geometry.quad_affine(quad, size), size)


def _square(look: portrait.Portrait) -> Iterator[Any]:
    """Centre, axis and half side of the square; Karras et al. (2019), appendix A of the first version."""
    truth = look.places()
    left, right = (np.array(eye) for eye in truth.eyes)
    down = np.array(truth.mouth) - (left + right) / 2
    across = right - left
    yield (left + right) / 2 + 0.1 * down
    yield across + np.array([down[1], -down[0]])
    yield float(max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)))
