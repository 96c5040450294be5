"""What became of each crop so far: what crop, dedup and the decisions made of it, in one table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.arrow import iterate, replace_column
from curate.pipeline.tables.manifest import ACCEPTED, CROPS, DEDUP, OK, REJECTED

COLUMNS = ("crop_id", "image_id", "domain", "path", "source_path", "status", "reason")


def crop_statuses(root: Path, columns: Iterable[str] = (), decided: decisions.Decisions | None = None) -> pa.Table:
    """COLUMNS and `columns` of every crop, in key order, and `phash` (null where dedup has none).

    `domain` is the one that a decision has moved it to, else its photo's. `status` and `reason` are the last word of
    all stages: crop's refusal, else dedup's, else what `decided` says, by default manifests/review.jsonl. Without
    dedup.parquet nothing is a copy. Raises TableError for a broken table.
    """
    decided = decisions.read(root) if decided is None else decided
    crops = manifest.read(CROPS, root, list(dict.fromkeys([*COLUMNS, *columns])))
    reasons = crops["reason"].to_numpy(zero_copy_only=False).astype(object)
    phash = pa.nulls(crops.num_rows, pa.uint64())
    if manifest.exists(DEDUP, root):
        dedup = manifest.read(DEDUP, root, ["crop_id", "phash", "reason"])
        place = pc.index_in(crops["crop_id"], value_set=dedup["crop_id"].combine_chunks())
        phash = dedup["phash"].take(place)
        by_dedup = dedup["reason"].take(place).to_numpy(zero_copy_only=False)
        copied = (reasons == OK) & (by_dedup != OK) & (by_dedup != None)  # noqa: E711 - elementwise
        reasons[copied] = by_dedup[copied]
    if decided:
        crop_ids, images = crops["crop_id"].to_pylist(), crops["image_id"].to_pylist()
        for place in np.flatnonzero(reasons == OK):
            reasons[place] = decided.refusal(crop_ids[place], images[place]) or OK
        crops = replace_column(crops, "domain", domains(crops, decided))
    status = np.where(reasons == OK, ACCEPTED, REJECTED)
    for name, values in (("status", status), ("reason", reasons)):
        crops = replace_column(crops, name, pa.array(values, pa.string()))
    return crops.append_column("phash", phash)


def domains(crops: pa.Table, decided: decisions.Decisions) -> pa.Array:
    """The domain of each of `crops`, which have crop_id, image_id and domain: where a decision moved it, that."""
    names = ("domain", "crop_id", "image_id")
    return pa.array(
        (decided.domain(*row) for row in zip(*(iterate(crops[name]) for name in names), strict=True)), pa.string()
    )
