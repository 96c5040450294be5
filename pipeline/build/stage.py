"""Chooses what trains: the crops that were kept, each with its split and its landmarks in crop pixels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.build.config import Build
from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import TableError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.tables import crop_status, decisions, manifest, provenance, splits
from curate.pipeline.tables.arrow import first_occurrence, iterate
from curate.pipeline.tables.schema import POINTS

_CROPS = "crop_id image_id path source_path domain license landmarks affine status".split()
_DEDUP = "crop_id cluster_id identity_id status".split()


@at_work(writes=["dataset"], reads=["crops", "dedup"])
def run(section: Build, root: Path, *, progress: Progress = SILENT) -> manifest.Summary:
    """Writes manifests/dataset.parquet from the crops that were accepted and are no copies of better ones.

    A cluster's split is a hash of the image that was discovered first among its members; where dedup has told people
    apart, a person's, of all clusters with their face. So it depends on no other row, it is the same whichever copy is
    the best one today, and it survives other crop rules. What a decision in manifests/review.jsonl rejects keeps its
    row and its split, and does not train; what one moves trains in the domain that it names. Raises UsageError for
    shares above 1 and TableError when a table is missing, or when crops and dedup are not of one piece.
    """
    splits.check_shares("build", section.val, section.test)
    inputs = provenance.inputs(manifest.DATASET, root)
    crops = manifest.accepted(manifest.read(manifest.CROPS, root, _CROPS))
    dedup = manifest.read(manifest.DEDUP, root, _DEDUP)
    _check_one_piece(crops, dedup, root)
    best = manifest.accepted(dedup)
    anchors = _anchors(crops, dedup, best, root)
    chosen = crops.take(pc.index_in(best["crop_id"], value_set=crops["crop_id"]))
    del crops, dedup
    decided = decisions.read(root, progress.note)
    reasons = _reasons(chosen, decided)
    data = pa.table(
        {
            "crop_id": chosen["crop_id"],
            "path": chosen["path"],
            "source_path": chosen["source_path"],
            "domain": crop_status.domains(chosen, decided),
            "split": _splits(section, anchors),
            "cluster_id": best["cluster_id"],
            "license": chosen["license"],
            "landmarks": into_crop(chosen["landmarks"], chosen["affine"]),
            "status": [manifest.ACCEPTED if reason == manifest.OK else manifest.REJECTED for reason in reasons],
            "reason": reasons,
        },
        schema=manifest.DATASET.schema,
    )
    manifest.write(manifest.DATASET, data, root, meta={"section": as_dict(section), provenance.INPUTS: inputs})
    trains = manifest.accepted(data)
    places = zip(iterate(trains["domain"]), iterate(trains["split"]), strict=True)
    for line in splits.gaps(places, {"val": section.val, "test": section.test}):
        progress.note(line)
    return manifest.summarize(manifest.DATASET, data)


def _splits(section: Build, anchors: pa.ChunkedArray) -> list[splits.Split]:
    """The split of each name in `anchors`."""
    shares = {"val": section.val, "test": section.test}
    return [splits.split_of(name, **shares, salt=section.salt) for name in iterate(anchors)]


def _reasons(crops: pa.Table, decided: decisions.Decisions) -> list[str]:
    """Why each crop does not train, by the decisions that were made; "ok" when it does."""
    items = zip(iterate(crops["crop_id"]), iterate(crops["image_id"]), strict=True)
    return [decided.refusal(crop, image) or manifest.OK for crop, image in items]


def _anchors(crops: pa.Table, dedup: pa.Table, best: pa.Table, root: Path) -> pa.ChunkedArray:
    """For each row of `best` the image_id of the member of its cluster, or of its person, that was discovered first."""
    found = manifest.read(manifest.IMAGES, root, ["image_id", "rank"]).group_by("image_id").aggregate([("rank", "min")])
    image = crops["image_id"].take(pc.index_in(dedup["crop_id"], value_set=crops["crop_id"]))
    rank = pc.fill_null(found["rank_min"].take(pc.index_in(image, value_set=found["image_id"])), sys.maxsize)
    members = pa.table({"group": _groups(dedup), "rank": rank, "image": image})
    members = members.sort_by([(name, "ascending") for name in members.schema.names])
    first = members.take(pa.array(first_occurrence(members["group"])))
    return first["image"].take(pc.index_in(_groups(best), value_set=first["group"]))


def _groups(dedup: pa.Table) -> pa.ChunkedArray:
    """What must not be split, for each row: its person, where people were told apart, else its cluster."""
    return pc.coalesce(dedup["identity_id"], dedup["cluster_id"])


def into_crop(landmarks: pa.ChunkedArray, affine: pa.ChunkedArray) -> pa.Array:
    """Landmarks in raw px, [68 x (x, y)] per row or null, as crop px by each row's `affine` (2x3, row-major).

    A row without landmarks or affine stays null.
    """
    known = pc.and_(pc.is_valid(landmarks), pc.is_valid(affine))
    points = _flat(landmarks.filter(known)).reshape(-1, POINTS, 2)
    matrix = _flat(affine.filter(known)).reshape(-1, 2, 3)
    moved = np.einsum("nij,npj->npi", matrix[:, :, :2], points) + matrix[:, None, :, 2]
    valid = known.to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(valid * 2 * POINTS)]).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(moved.astype(np.float32).ravel()), mask=pa.array(~valid)
    )


def _flat(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The numbers of a list column without nulls, one after the other."""
    return pc.list_flatten(column.combine_chunks()).to_numpy(zero_copy_only=False).astype(np.float64)


def _check_one_piece(crops: pa.Table, dedup: pa.Table, root: Path) -> None:
    """Raises TableError unless dedup was made from exactly the crops that were accepted."""
    same = pc.all(pc.is_in(dedup["crop_id"], value_set=crops["crop_id"]), min_count=0).as_py()
    if not same or len(crops) != len(dedup):
        raise TableError(
            f"{manifest.DEDUP.path(root)}: made from other crops than those in {manifest.CROPS.path(root)}",
            f"make it again: {manifest.DEDUP.made_by} && {manifest.DATASET.made_by}",
        )
