"""Drawn people for the tests of detection, alignment and cropping: the same ones every time."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo import anime, face, portrait
from curate.pipeline.demo.portrait import Portrait
from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from tests.support.tables import image_row


@lru_cache(maxsize=64)
def person(seed: int, width: int = 300, height: int = 300) -> Portrait:
    """A portrait, with `.draw()` and `.places()`."""
    rng = np.random.default_rng([11, seed])
    return portrait.sample(rng, face.sample(rng), "long" if seed % 2 else "short", width, height)


@lru_cache(maxsize=64)
def photo(seed: int) -> NDArray[np.uint8]:
    """The picture of person(seed), RGB [300, 300, 3]."""
    return person(seed).draw()


@lru_cache(maxsize=64)
def drawing(seed: int) -> NDArray[np.uint8]:
    """An anime-style face, RGB [320, 320, 3]."""
    return anime.sample(np.random.default_rng([12, seed]), 320, 320).draw()


def landscape(seed: int) -> NDArray[np.uint8]:
    """A picture with nobody in it, RGB [200, 240, 3]."""
    rng = np.random.default_rng([13, seed])
    slope = np.linspace(0, 255, 240)[None, :, None] * rng.uniform(0.3, 1, (200, 1, 3))
    return np.asarray(slope, np.uint8)


def table(root: Path, received: dict[str, list[bytes]]) -> None:
    """images.parquet over the bytes received for each domain."""
    rows = [image_row(root, data, domain, rank) for domain, all_ in received.items() for rank, data in enumerate(all_)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)


def png(image: NDArray[np.uint8]) -> bytes:
    """`image` as PNG."""
    return codec.encode_png(image)


def contents(root: Path) -> dict[str, bytes]:
    """Every file that crop answers for, by relative path."""
    files = [*(root / "processed").rglob("*"), *(root / "manifests").glob("crops.parquet")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files if path.is_file()}
