"""Finds copies of one picture among the crops and keeps the best of them: manifests/dedup.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from pipeline import hashing, images, manifest, params, shards
from pipeline.engine import WorkerDied
from pipeline.engine import run as run_batches
from pipeline.errors import CurateError
from pipeline.progress import SILENT, Progress


def run(
    section: params.Dedup, root: Path, *, engine: params.Engine | None = None, progress: Progress = SILENT
) -> manifest.Summary:
    """Writes manifests/dedup.parquet: hash, cluster and fate of every accepted crop.

    Crops whose perceptual hashes differ in at most `radius` bits are copies. The best one is kept: the largest face in
    the raw photo, then the sharpest crop, the least padding, the lowest crop_id. Clusters are made around the kept
    crops (see hashing.leaders), so that each refused crop is a copy of the very one named in its `duplicate_of`.
    Domains are not kept apart: a picture found in two of them is kept once, in the domain of its best copy, since it
    can't be right in both and must not stand on both sides of a split.

    Memory holds a few crops and the hashes. Raises TableError for crops.parquet and CurateError for a crop whose file
    is missing or broken.
    """
    engine = engine or params.Engine()
    crops = manifest.accepted(manifest.read(manifest.CROPS, root))
    hashes = _hashes(root, crops["path"].to_pylist(), engine, progress)
    stands = hashing.leaders(hashes, _rank(crops), section.radius)
    ids = crops["crop_id"].to_pylist()
    data = pa.table(
        {
            "crop_id": crops["crop_id"],
            "domain": crops["domain"],
            "phash": pa.array(hashes, pa.uint64()),
            "cluster_id": [ids[leader] for leader in stands],
            "duplicate_of": [None if leader == i else ids[leader] for i, leader in enumerate(stands)],
            "status": [manifest.ACCEPTED if leader == i else manifest.REJECTED for i, leader in enumerate(stands)],
            "reason": [manifest.OK if leader == i else "duplicate" for i, leader in enumerate(stands)],
        },
        schema=manifest.DEDUP.schema,
    )
    manifest.write(manifest.DEDUP, data, root, meta={"section": params.as_dict(section)})
    return manifest.summarize(manifest.DEDUP, data)


def _rank(crops: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Each crop's place, the best first, [n]."""
    falling = {name: _numbers(crops, name) for name in ("face_px", "sharpness")}
    order = np.lexsort(
        (
            np.array(crops["crop_id"].to_pylist(), dtype=np.str_),
            _numbers(crops, "padding"),
            -falling["sharpness"],
            -falling["face_px"],
        )
    )
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _numbers(crops: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column, 0 where it is null."""
    return crops[name].fill_null(0).to_numpy().astype(np.float64)


def _hashes(root: Path, paths: list[str], engine: params.Engine, progress: Progress) -> hashing.Hashes:
    """The hash of the crop at each path below `root`."""
    batches = [tuple(paths[start : start + engine.batch]) for start in range(0, len(paths), engine.batch)]
    found = np.zeros(len(paths), np.uint64)
    done = 0
    with progress.task("dedup", len(paths)) as task:
        for result in run_batches(Hasher, {"root": root.resolve()}, batches, engine):
            if isinstance(result, WorkerDied):
                raise CurateError(
                    f"a process died hashing {result.batch[0]} or one of the {len(result.batch) - 1} crops after it",
                    "delete processed/crops and run: curate crop",
                )
            found[done : done + len(result)] = result
            done += len(result)
            task.advance(len(result))
    return found


class Hasher:
    """Hashes batches of crops; lives in each worker process."""

    def __init__(self, root: Path) -> None:
        cv2.setNumThreads(1)  # the processes are the parallelism
        self.root = root

    def __call__(self, paths: Sequence[str]) -> hashing.Hashes:
        """The hashes of the crops at `paths`. Raises CurateError for one that can't be read."""
        return hashing.phashes([self._read(path) for path in paths])

    def _read(self, path: str) -> images.RGB:
        try:
            return images.decode(shards.read(self.root, path))
        except (OSError, images.ImageError) as error:
            what = (error.strerror or "cannot read it") if isinstance(error, OSError) else str(error)
            raise CurateError(f"{self.root / path}: {what}", "run again: curate crop") from error
