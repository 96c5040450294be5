"""What earlier runs of crop left: rows that still hold, and faces that need no second detection.

A row holds as long as its image is looked at and its face is framed as before; thresholds may have changed, so every
row gets its reason anew. Where only the framing is another one, or a crop is newly accepted, the known faces are cut
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.config import digest
from curate.pipeline.core.errors import TableError
from curate.pipeline.crop import rows
from curate.pipeline.crop.placing import Placing
from curate.pipeline.faces import criteria, placed
from curate.pipeline.faces.config import CropRules, framing, looking
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.imaging import shards
from curate.pipeline.tables import arrow, manifest
from curate.pipeline.tables.partial import PartialTable

TRANSIENT = frozenset({"missing_file", "changed", "worker_died", "no_model"})  # tried again by the next run
_NOT_LOOKED_AT = TRANSIENT | {"decode_failed", "bomb"}  # images in which nobody looked for faces


class Work(NamedTuple):
    """The settings that one domain's rows are made by, each kind named by its digest."""

    looking: str
    framing: str

    @property
    def name(self) -> str:
        """Names both."""
        return f"{self.looking}-{self.framing}"


def work(rules: CropRules, version: int) -> Work:
    """What rows made by `rules` are made by; `version` is that of the code."""
    return Work(digest({"version": version, **looking(rules)}), digest(framing(rules)))


def finished(
    root: Path,
    partial: PartialTable,
    works: Mapping[str, Work],
    rules: Mapping[str, CropRules],
    placing: Placing,
    images: pa.Table | None = None,
) -> pa.Table:
    """The rows of images that need not be opened, with what `rules` (by domain) say of them: their crops are all there.

    With `images` those of these images alone; the disk is asked for every crop of the rest.
    """
    tables = [_before(root, works, lambda own: own.name), *_unfinished(partial, works, placing)]
    tables = [placing.current(table) for table in tables]
    if images is not None:
        tables = [table.filter(rows.among(table, images)) for table in tables]
    found = pa.concat_tables([_whole(with_reasons(table, rules), root) for table in tables])
    first = arrow.first_occurrence(found["crop_id"])
    return found if len(first) == len(found) else found.take(pa.array(first))


def _whole(table: pa.Table, root: Path) -> pa.Table:
    """The rows of `table` of images all of whose crops are there and that need no second try."""
    table = arrow.filter_rows(table, pc.invert(arrow.is_in(table["reason"], TRANSIENT)))
    lost = [path is not None and not shards.stands(root, path) for path in arrow.iterate(table["path"])]
    return arrow.filter_rows(table, pc.invert(rows.among(table, table.filter(pa.array(lost, pa.bool_())))))


def with_reasons(table: pa.Table, rules: Mapping[str, CropRules]) -> pa.Table:
    """`table` with the status, reason and path of each face as `rules` (by domain) have it now.

    A crop that lies in a shard stays there; any other one has a file of its own.
    """
    reason, loose = table["reason"], pa.nulls(len(table), pa.string())
    measured = table.select(["crop_id", "face_index", "detector", *criteria.COLUMNS])
    photo = table["image_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    for domain, own in rules.items():
        mask = pc.and_(pc.is_valid(table["affine"]), pc.equal(table["domain"], domain))
        faces, at = measured.filter(mask), np.flatnonzero(mask)
        measures = {name: arrow.as_float(faces[name]) for name in criteria.COLUMNS}
        by_person = np.asarray(pc.equal(faces["detector"], placed.DETECTOR), np.bool_)
        verdicts = criteria.reasons(measures, photo[at], arrow.as_float(faces["face_index"]), own, by_person)
        reason = pc.replace_with_mask(reason, mask.combine_chunks(), pa.array(verdicts, pa.string()))
        loose = pc.replace_with_mask(loose, mask.combine_chunks(), rows.paths(domain, faces["crop_id"]))
    packed = pc.fill_null(pc.match_substring(table["path"], ".tar/"), False)
    accepted = pc.equal(reason, manifest.OK)
    path = pc.if_else(accepted, pc.if_else(packed, table["path"], loose), pa.scalar(None, pa.string()))
    status = pc.if_else(accepted, manifest.ACCEPTED, manifest.REJECTED)
    for name, values in (("status", status), ("reason", reason), ("path", path)):
        table = arrow.replace_column(table, name, values)
    return table


def gone(root: Path, wanted: pa.Table) -> set[str]:
    """The crop_ids in the table that stands whose images are none of `wanted` any more."""
    with suppress(TableError):
        table = manifest.read(manifest.CROPS, root, ["crop_id", "domain", "image_id"])
        return set(table.filter(pc.invert(rows.among(table, wanted)))["crop_id"].to_pylist())
    return set()


class Faces:
    """The faces of images that were looked at before, by the same settings of looking.

    Where a person has placed one, what had been found there is not known any more.
    """

    def __init__(
        self, root: Path, partial: PartialTable, works: Mapping[str, Work], placing: Placing, wanted: pa.Table
    ) -> None:
        found = [_before(root, works, lambda own: own.looking), *_unfinished(partial, works, placing)]
        columns = ["domain", "image_id", "reason", "detector", *rows.FACE_COLUMNS]
        table = pa.concat_tables(one.select(columns) for one in found)
        table = table.filter(
            pc.and_(rows.among(table, wanted), pc.invert(arrow.is_in(table["reason"], _NOT_LOOKED_AT)))
        )
        by_person = table.filter(pc.equal(table["detector"], placed.DETECTOR))
        table = arrow.filter_rows(table, pc.invert(rows.among(table, by_person)))
        self._table = table.sort_by([(name, "ascending") for name in ("domain", "image_id", "face_index")])
        own = rows.key(self._table)
        starts = arrow.first_occurrence(own)
        self._ends = np.append(starts, len(own))
        self._groups = pc.index_in(rows.key(wanted), value_set=own.take(pa.array(starts))).fill_null(-1).to_numpy()

    def at(self, place: int) -> tuple[DetectedFace, ...] | None:
        """The faces of the image at `place` among those wanted, by falling score; None when nobody looked."""
        if (group := self._groups[place]) < 0:
            return None
        start, end = self._ends[group : group + 2].tolist()
        found = {row["face_index"]: row for row in self._table.slice(start, end - start).to_pylist()}
        return tuple(rows.detected_face(row) for row in found.values() if row["box"] is not None)


def _before(root: Path, works: Mapping[str, Work], what: Callable[[Work], str]) -> pa.Table:
    """The rows of the table that stands, of the domains for which `what` of the work is the same; none without it."""
    with suppress(TableError):  # a broken table counts as none
        made_by = manifest.meta(manifest.CROPS, root).get("works", {})
        same = [d for d, own in works.items() if d in made_by and what(Work(*made_by[d])) == what(own)]
        table = manifest.read(manifest.CROPS, root)
        return table.filter(arrow.is_in(table["domain"], same))
    return manifest.empty(manifest.CROPS)


def _unfinished(partial: PartialTable, works: Mapping[str, Work], placing: Placing) -> Iterator[pa.Table]:
    """What each kind of work has left of runs that did not end, one after the other."""
    names = sorted({own.name for own in works.values()})
    return (partial.read(name + ending) for name in names for ending in dict.fromkeys(["", placing.work]))
