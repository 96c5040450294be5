"""Finds copies of one picture among the crops and keeps the best of them: manifests/dedup.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.pipeline.core import config
from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.config import digest
from curate.pipeline.core.errors import CurateError, TableError
from curate.pipeline.core.parallel import Engine, WorkerDied
from curate.pipeline.core.parallel import run as run_batches
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.dedup import cache, fingerprints, identity, search
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.dedup.duplicates import DuplicateGroups
from curate.pipeline.dedup.fingerprints import Fingerprints
from curate.pipeline.hashing import phash
from curate.pipeline.hashing.arrays import Positions
from curate.pipeline.imaging import shards
from curate.pipeline.tables import manifest, provenance
from curate.pipeline.tables.arrow import as_float

Objects = NDArray[np.object_]  # [n] texts, or None

_COLUMNS = "crop_id domain path license face_px sharpness padding status".split()
_PLACES = ("landmarks", "affine")  # of the faces, for identity: the bulk of the table
_AT_ONCE = 1024  # crops whose fingerprints are kept at once while a run is at work


@at_work(writes=["dedup"], reads=["crops"])
def run(section: Dedup, root: Path, *, engine: Engine | None = None, progress: Progress = SILENT) -> manifest.Summary:
    """Writes manifests/dedup.parquet: fingerprint, cluster and status of every accepted crop.

    Crops are copies when their perceptual hashes differ in at most `radius` bits and their thumbnails agree (see
    dedup.fingerprints), seen as they are or in one of the ways of `variants`. The best copy is kept, by the columns of
    `keep` in that order, then the lowest crop_id. Clusters are made around the kept crops (clustering.leaders), so
    that each refused crop is a copy of the very one named in its `duplicate_of`. Domains are not kept apart: a picture
    found in two of them is kept once, in the domain of its best copy, since it can't be right in both and must not
    stand on both sides of a split. A copy of what another data set of `against` keeps is refused as well.

    What was hashed and compared before is not again (see dedup.cache). Memory holds the fingerprints of all crops,
    below 1 kB each, and at most clustering.BUDGET pairs. Raises TableError for crops.parquet or another set's table,
    and CurateError for a crop whose file is missing or broken.
    """
    engine = engine or Engine()
    inputs = provenance.inputs(manifest.DEDUP, root)
    columns = [*_COLUMNS, *(_PLACES if section.identity is not None else ())]
    crops = manifest.accepted(manifest.read(manifest.CROPS, root, columns))
    others = [_other(folder, root) for folder in section.against]
    turns = phash.symmetries(section.variants)
    known = cache.FingerprintCache(root, _settings(section, root))
    found = _fingerprints(known, crops, {"root": root.resolve(), "turns": turns}, engine, progress)
    theirs = fingerprints.concatenated([other.fingerprints for other in others], len(turns))
    rule = search.CopyRule(section.radius, section.likeness, section.min_contrast, turns)
    groups = DuplicateGroups(found, theirs, _rank(crops, section.keep), rule)
    pairs = groups.compare(*known.pairs(crops["crop_id"], groups.group))
    known.write(crops["crop_id"], found, pairs, groups.bearers)
    stands, foreign = groups.stand_ins()
    itself = (stands == np.arange(len(stands))) & (foreign < 0)
    people = np.full(len(stands), None, object)
    if section.identity is not None:
        best = np.flatnonzero(itself)
        people[best] = identity.run(section.identity, crops.take(pa.array(best)), root, engine, progress)
    ids = np.array(crops["crop_id"].to_pylist(), object)
    held = [(crop, other.folder) for other in others for crop in other.ids]
    data = cache.columns(crops["crop_id"], found) | {"domain": crops["domain"], "identity_id": people[stands]}
    data |= _statuses(ids, itself, stands, foreign, held)
    del data["variants"]
    table = pa.table(data).select(manifest.DEDUP.schema.names).cast(manifest.DEDUP.schema)
    manifest.write(manifest.DEDUP, table, root, meta={"section": config.as_dict(section), provenance.INPUTS: inputs})
    return manifest.summarize(manifest.DEDUP, table)


def _statuses(
    ids: Objects,
    itself: NDArray[np.bool_],
    stands: Positions,
    foreign: Positions,
    held: Sequence[tuple[str, str]],
) -> dict[str, Objects]:
    """The columns that say what becomes of each crop, [n] each.

    `itself` says which are kept, `stands` has the crops that stand for them, `foreign` the place in `held` (crop, data
    set) of what does so instead, or -1.
    """
    known = foreign >= 0
    stand, against = ids[stands], np.full(len(ids), None, object)
    stand[known] = [held[place][0] for place in foreign[known]]
    against[known] = [held[place][1] for place in foreign[known]]
    original = stand.copy()
    original[itself] = None
    return {
        "cluster_id": stand,
        "duplicate_of": original,
        "against": against,
        "status": np.where(itself, manifest.ACCEPTED, manifest.REJECTED).astype(object),
        "reason": np.where(known, "known", np.where(itself, manifest.OK, "duplicate")).astype(object),
    }


class OtherSet(NamedTuple):
    """What another data set keeps."""

    folder: str  # as it was named
    ids: list[str]
    fingerprints: Fingerprints


def _other(folder: str, root: Path) -> OtherSet:
    """The crops that the data set with its manifests in `folder` keeps. Raises TableError when it has no such table."""
    place = root / folder
    table = manifest.accepted(manifest.read(manifest.DEDUP, place.parent if place.name == "manifests" else place))
    try:
        return OtherSet(folder, table["crop_id"].to_pylist(), cache.fingerprints_from(table))
    except ValueError as error:
        raise TableError(f"{place}: {error}", "make its dedup.parquet again: curate dedup, there") from None


def _settings(section: Dedup, root: Path) -> cache.FingerprintSettings:
    """What fingerprints and pairs follow from, beside the crops: how these were cut, and the rules here."""
    made_by = {
        "version": [phash.VERSION, fingerprints.VERSION],
        "variants": sorted(set(section.variants)),
        "works": manifest.meta(manifest.CROPS, root).get("works"),
    }
    rule = [section.radius, section.likeness, section.min_contrast]
    return cache.FingerprintSettings(digest(made_by), digest([made_by, rule]), len(phash.symmetries(section.variants)))


def _rank(crops: pa.Table, keep: Sequence[str]) -> Positions:
    """Each crop's place by `keep`, the best first, [n]."""
    falling = {
        "license": _stated(crops),
        "face_px": as_float(crops["face_px"], 0),
        "sharpness": as_float(crops["sharpness"], 0),
        "padding": -as_float(crops["padding"], 0),
    }
    ids = np.array(crops["crop_id"].to_pylist(), dtype=np.str_)
    order = np.lexsort((ids, *(-falling[name] for name in reversed(keep))))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _stated(crops: pa.Table) -> np.ndarray[Any, np.dtype[np.float64]]:
    """1 for a crop whose licence is known, 0 for others."""
    return np.array([code != "unknown" for code in crops["license"].to_pylist()], np.float64)


def _fingerprints(
    known: cache.FingerprintCache,
    crops: pa.Table,
    settings: dict[str, Any],
    engine: Engine,
    progress: Progress,
) -> Fingerprints:
    """The fingerprint of each crop: those that are known, and the others made, and kept as they come."""
    have, old = known.fingerprints(crops["crop_id"])
    wanted = np.setdiff1d(np.arange(crops.num_rows), have)
    ids, paths = (crops[name].take(pa.array(wanted)).to_pylist() for name in ("crop_id", "path"))
    batches = [tuple(paths[start : start + engine.batch]) for start in range(0, len(paths), engine.batch)]
    made, pending, done = [old], [], 0
    with progress.task("dedup", len(paths)) as task:
        for result in run_batches(FingerprintWorker, settings, batches, engine):
            if isinstance(result, WorkerDied):
                raise CurateError(
                    f"a process died hashing {result.batch[0]} or one of the {len(result.batch) - 1} crops after it",
                    "delete processed/crops, then: curate crop && curate dedup",
                )
            pending.append(result)
            count = sum(len(batch.hashes) for batch in pending)
            if count >= _AT_ONCE or done + count == len(paths):
                made.append(fingerprints.concatenated(pending, len(settings["turns"])))
                known.add(ids[done : done + count], made[-1])
                pending, done = [], done + count
            task.advance(len(result.hashes))
    order = np.argsort(np.concatenate([have, wanted]))
    return fingerprints.concatenated(made, len(settings["turns"])).take(order)


class FingerprintWorker:
    """Hashes batches of crops; lives in each worker process."""

    def __init__(self, root: Path, turns: tuple[phash.Symmetry, ...]) -> None:
        cv2.setNumThreads(1)  # the processes are the parallelism
        self.root, self.turns = root, turns

    def __call__(self, paths: Sequence[str]) -> Fingerprints:
        """The fingerprints of the crops at `paths`. Raises CurateError for one that can't be read."""
        pictures = [shards.load_picture(self.root, path, manifest.CROPS.made_by) for path in paths]
        return fingerprints.compute(pictures, self.turns)
