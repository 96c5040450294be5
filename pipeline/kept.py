"""What earlier runs of crop left: rows that still hold, and faces that need no second detection.

A row holds as long as its image is looked at and its face is framed as before; thresholds may have changed, so every
row is judged again. Where only the framing is another one, or a crop is newly accepted, the known faces are cut again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import judge, manifest, rows, shards
from pipeline.align import Seen
from pipeline.errors import TableError
from pipeline.parts import Parts, digest
from pipeline.rules import CropRules, framing, looking

TRANSIENT = frozenset({"missing_file", "worker_died", "no_model"})  # tried again by the next run
_UNSEEN = TRANSIENT | {"decode_failed", "bomb"}  # images in which nobody looked for faces

Key = tuple[str, str]  # domain and image_id


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


def finished(root: Path, parts: Parts, works: Mapping[str, Work], rules: Mapping[str, CropRules]) -> pa.Table:
    """The rows of images that need not be opened, as `rules` (by domain) judge them: their crops are all there."""
    before = _whole(judged(_before(root, works, lambda own: own.name), rules), root)
    found = pa.concat_tables([before, *(_whole(judged(part, rules), root) for part in _parts(parts, works))])
    _, first = np.unique(np.asarray(found["crop_id"]), return_index=True)
    return found.take(pa.array(np.sort(first)))


def _whole(table: pa.Table, root: Path) -> pa.Table:
    """The rows of `table` of images all of whose crops are there and that need no second try."""
    table = table.filter(pc.invert(_has(table["reason"], TRANSIENT)))
    stands = [path is None or shards.stands(root, path) for path in table["path"].to_pylist()]
    broken = {key for key, there in zip(keys(table), stands, strict=True) if not there}
    return table.filter(pa.array([key not in broken for key in keys(table)], pa.bool_()))


def judged(table: pa.Table, rules: Mapping[str, CropRules]) -> pa.Table:
    """`table` with the status, reason and path of each face as `rules` (by domain) have it now.

    A crop that lies in a shard stays there; any other one has a file of its own.
    """
    reasons = table["reason"].to_numpy(zero_copy_only=False).astype(object)
    domains, cut = (np.asarray(a) for a in (table["domain"], pc.is_valid(table["affine"])))
    for domain, own in rules.items():
        mask = cut & (domains == domain)
        faces = table.filter(pa.array(mask))
        measures = {name: _numbers(faces[name]) for name in judge.COLUMNS}
        _, photo = np.unique(np.asarray(faces["image_id"]), return_inverse=True)
        reasons[mask] = judge.verdicts(measures, photo, _numbers(faces["face_index"]), own)
    accepted = reasons == manifest.OK
    status = np.where(accepted, manifest.ACCEPTED, manifest.REJECTED)
    before, crops = table["path"].to_pylist(), table["crop_id"].to_pylist()
    paths = [
        (path if path and shards.place(path) else rows.path(domain, crop)) if ok else None
        for ok, path, domain, crop in zip(accepted, before, domains, crops, strict=True)
    ]
    for name, values in (("status", status), ("reason", reasons), ("path", paths)):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(index), pa.array(values, pa.string()))
    return table


def gone(root: Path, wanted: Iterable[Key]) -> set[str]:
    """The crop_ids in the table that stands whose images are none of `wanted` any more."""
    there = set(wanted)
    with suppress(TableError):
        table = manifest.read(manifest.CROPS, root, ["crop_id", "domain", "image_id"])
        return {crop for key, crop in zip(keys(table), table["crop_id"].to_pylist(), strict=True) if key not in there}
    return set()


class Faces:
    """The faces of images that were looked at before, by the same settings of looking."""

    def __init__(self, root: Path, parts: Parts, works: Mapping[str, Work], wanted: Iterable[Key]) -> None:
        found = [_before(root, works, lambda own: own.looking), *_parts(parts, works)]
        needed = set(wanted)
        table = pa.concat_tables(found).select(["domain", "image_id", "reason", *rows.SEEN])
        table = table.filter(pa.array([key in needed for key in keys(table)], pa.bool_()))
        self._table = table.filter(pc.invert(_has(table["reason"], _UNSEEN)))
        self._rows: dict[Key, dict[int, int]] = {}
        indices = self._table["face_index"].to_pylist()
        for place, (key, index) in enumerate(zip(keys(self._table), indices, strict=True)):
            self._rows.setdefault(key, {})[index] = place

    def of(self, key: Key) -> tuple[Seen, ...] | None:
        """The faces of one image, by falling score; None when nobody looked."""
        places = self._rows.get(key)
        if places is None:
            return None
        found = (self._table.slice(places[index], 1).to_pylist()[0] for index in sorted(places))
        return tuple(rows.seen(row) for row in found if row["box"] is not None)


def keys(table: pa.Table) -> Iterable[Key]:
    """Domain and image of each row."""
    return list(zip(table["domain"].to_pylist(), table["image_id"].to_pylist(), strict=True))


def _before(root: Path, works: Mapping[str, Work], what: Callable[[Work], str]) -> pa.Table:
    """The rows of the table that stands, of the domains for which `what` of the work is the same; none without it."""
    with suppress(TableError):  # a broken table counts as none
        made_by = manifest.meta(manifest.CROPS, root).get("works", {})
        same = [d for d, own in works.items() if d in made_by and what(Work(*made_by[d])) == what(own)]
        table = manifest.read(manifest.CROPS, root)
        return table.filter(_has(table["domain"], same))
    return manifest.empty(manifest.CROPS)


def _parts(parts: Parts, works: Mapping[str, Work]) -> list[pa.Table]:
    return [parts.read(name) for name in sorted({own.name for own in works.values()})]


def _has(column: pa.ChunkedArray, values: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))


def _numbers(column: pa.ChunkedArray) -> judge.Column:
    """float64, NaN for null."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
