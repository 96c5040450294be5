"""Numbers that say what a crop looks like, kept by crop: computed once, since a crop_id never stands for other pixels.

A net is whatever has a name, a digest of what it computes with, and turns crops into numbers. Those that need torch
come from the training half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import Progress
from curate.pipeline.faces import model_files
from curate.pipeline.faces.embedding import MODEL, WIDTH, FaceNet
from curate.pipeline.imaging import codec, shards
from curate.pipeline.imaging.geometry import Points, apply
from curate.pipeline.review.neighbours import Features
from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import POINTS

FOLDER = "processed/cache"
GRID = 16  # px, side to which `PixelColours` shrinks a crop
_TOGETHER = 16  # crops
_KEEP_EVERY = 2000  # crops, after which what is done is written down


@dataclass(frozen=True)
class CropPicture:
    """A crop as a net is given it."""

    rgb: codec.RGB  # uint8 [H, W, 3]
    landmarks: Points | None  # [68, 2], px of it


class CropNet(Protocol):
    """Crops to numbers."""

    name: str
    digest: str

    def __call__(self, crops: Sequence[CropPicture]) -> Features:
        """Float32 [n, d]; a row of NaN for a crop that it can't judge."""


class PixelColours:
    """The colours of a small copy: what is left where there is no net."""

    name, digest = "pixels", str(GRID)

    def __call__(self, crops: Sequence[CropPicture]) -> Features:
        """Float32 [n, 768] in [0, 1]."""
        small = [cv2.resize(crop.rgb, (GRID, GRID), interpolation=cv2.INTER_AREA).ravel() for crop in crops]
        return np.stack(small).astype(np.float32) / 255.0


class FaceEmbeddings:
    """dlib's embeddings: who it is, and with that men and women, young and old; blind to hair and clothes."""

    name = "dlib"

    def __init__(self) -> None:
        self.net, self.digest = FaceNet(), model_files.MODELS[MODEL].sha256

    def __call__(self, crops: Sequence[CropPicture]) -> Features:
        """Float32 [n, 128]; NaN where no landmarks say where the face is."""
        nothing = np.full(WIDTH, np.nan, np.float32)
        return np.stack([nothing if c.landmarks is None else self.net(c.rgb, c.landmarks) for c in crops])


LOCAL: Mapping[str, Callable[[], CropNet]] = {"dlib": FaceEmbeddings, "pixels": PixelColours}  # nets that need no torch


def of_crops(crops: pa.Table, net: CropNet, root: Path, progress: Progress) -> Features:
    """The features of `crops` (crop_id, path, landmarks, affine), float32 [n, d]; only new crops are computed.

    They are kept in processed/cache, also when it is interrupted. Raises CurateError for a crop that can't be read.
    """
    file = closed_folder(root, FOLDER) / f"crops-{net.name}-{net.digest[:12]}.npz"
    known, ids = _read(file), crops["crop_id"].to_pylist()
    places = [place for place, name in enumerate(ids) if name not in known]
    if places:
        try:
            with progress.task(f"look at crops ({net.name})", len(places)) as task:
                for start in range(0, len(places), _TOGETHER):
                    part = places[start : start + _TOGETHER]
                    rows = net(list(_pictures(crops.take(pa.array(part)), root)))
                    known |= {ids[place]: row for place, row in zip(part, rows.astype(np.float16), strict=True)}
                    task.advance(len(part))
                    if start and start % _KEEP_EVERY < _TOGETHER:
                        _write(file, known)
        finally:
            _write(file, known)
    return np.stack([known[name] for name in ids]).astype(np.float32) if ids else np.zeros((0, 1), np.float32)


def _pictures(crops: pa.Table, root: Path) -> Iterator[CropPicture]:
    for row in crops.select(["path", "landmarks", "affine"]).to_pylist():
        points = None
        if row["landmarks"] is not None and row["affine"] is not None:
            points = apply(np.reshape(row["affine"], (2, 3)), np.reshape(row["landmarks"], (POINTS, 2)))
        yield CropPicture(shards.load_picture(root, row["path"], manifest.CROPS.made_by), points)


def _read(file: Path) -> dict[str, NDArray[np.float16]]:
    """What an earlier run has kept; nothing where the file is not there or not whole."""
    with suppress(OSError, ValueError, KeyError, EOFError), np.load(file, allow_pickle=False) as kept:
        return dict(zip(kept["ids"].astype(str).tolist(), kept["features"], strict=True))
    return {}


def _write(file: Path, known: Mapping[str, NDArray[np.float16]]) -> None:
    if not known:
        return
    with atomic_write(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, ids=np.array(list(known), "S"), features=np.stack(list(known.values())))
