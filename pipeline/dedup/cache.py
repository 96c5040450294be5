"""The fingerprints of crops, kept on disk with the copies that were found: only new crops are hashed and compared.

All of it follows from the crops, so it may be deleted at any time. It stands in processed/dedup/marks.parquet, written
whole or not at all; beside it, while a run is at work, the fingerprints that are finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.errors import TableError
from curate.pipeline.dedup.fingerprints import THUMB, Fingerprints
from curate.pipeline.hashing.arrays import Pairs, Positions
from curate.pipeline.tables import manifest
from curate.pipeline.tables.partial import PartialTable

PARTIAL = f"{manifest.FINGERPRINTS.folder}/parts"


class FingerprintSettings(NamedTuple):
    """What fingerprints, and the pairs among them, are made by: a digest of each; and how many hashes there are."""

    fingerprints: str
    pairs: str
    variants: int  # hashes of a crop beside its own


class FingerprintCache:
    """What earlier runs left."""

    def __init__(self, root: Path, settings: FingerprintSettings) -> None:
        self._root, self._settings = root, settings
        self._partial = PartialTable(manifest.FINGERPRINTS, root, PARTIAL)
        self._table, self._paired = manifest.empty(manifest.FINGERPRINTS), False
        with suppress(TableError):  # missing or broken: it is made again
            made_by = manifest.meta(manifest.FINGERPRINTS, root)
            if made_by.get("marks") == settings.fingerprints:
                found = manifest.read(manifest.FINGERPRINTS, root)
                counts = pc.list_value_length(found["variants"])
                if not pc.all(pc.equal(counts, settings.variants), min_count=0).as_py():
                    raise TableError("hashes of another number of variants")
                self._table = found
                self._paired = made_by.get("pairs") == settings.pairs

    def fingerprints(self, ids: pa.ChunkedArray) -> tuple[Positions, Fingerprints]:
        """The crops of `ids` whose fingerprints are known: their positions, and the fingerprints."""
        known = pa.concat_tables([self._table, self._partial.read(self._settings.fingerprints)])
        rows = pc.index_in(ids, value_set=known["crop_id"].combine_chunks()).combine_chunks()
        have = np.flatnonzero(rows.is_valid().to_numpy(zero_copy_only=False))
        return have, fingerprints_from(known.take(rows.drop_null()))

    def add(self, ids: Sequence[str], made: Fingerprints) -> None:
        """Keeps the fingerprints of some crops until `write`: an interrupted run goes on."""
        rows = pa.table(columns(pa.array(ids, pa.string()), made)).to_pylist()
        self._partial.add(self._settings.fingerprints, rows)

    def pairs(self, ids: pa.ChunkedArray, group: Positions) -> tuple[Pairs, Positions]:
        """The pairs of copies that are known among groups of equal crops, and the groups whose copies are all known.

        `group` is that of each crop of `ids`.
        """
        if not self._paired:
            return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
        bears = pc.is_valid(self._table["copies"]).to_numpy()
        here = pc.index_in(self._table["crop_id"], value_set=ids.combine_chunks()).fill_null(-1).to_numpy()
        groups = np.full(len(here), -1, np.int64)
        groups[here >= 0] = group[here[here >= 0]]
        copies = self._table["copies"].combine_chunks()
        counts = pc.list_value_length(copies).fill_null(0).to_numpy(zero_copy_only=False)
        left = np.repeat(np.arange(len(counts)), counts)
        right = pc.list_flatten(copies).to_numpy(zero_copy_only=False)
        pairs = np.column_stack([groups[left], groups[right]])
        return pairs[(pairs >= 0).all(axis=1)], np.unique(groups[bears & (groups >= 0)])

    def write(self, ids: pa.ChunkedArray, found: Fingerprints, pairs: Pairs | None, bearers: Positions) -> None:
        """Writes it all. `pairs` are of rows, with none for pairs that are too many to keep; `bearers` the rows that
        stand for their group of equal crops in them."""
        copies = pa.nulls(len(ids), pa.list_(pa.int32()))
        if pairs is not None:
            pairs = np.unique(np.sort(pairs, axis=1), axis=0)
            bearing = np.zeros(len(ids), bool)
            bearing[bearers] = True
            starts = np.searchsorted(pairs[:, 0], np.arange(len(ids) + 1))
            copies = pa.ListArray.from_arrays(
                pa.array(starts, pa.int32()), pa.array(pairs[:, 1], pa.int32()), mask=pa.array(~bearing)
            )
        data = pa.table(columns(ids, found) | {"copies": copies}, schema=manifest.FINGERPRINTS.schema)
        settings = {"marks": self._settings.fingerprints, "pairs": self._settings.pairs if pairs is not None else None}
        manifest.write(manifest.FINGERPRINTS, data, self._root, meta=settings)
        self._partial.clear()


def columns(ids: pa.Array | pa.ChunkedArray, found: Fingerprints) -> dict[str, Any]:
    """The fingerprints `found` of the crops `ids` as columns of FINGERPRINTS."""
    count, turns = found.variants.shape
    offsets = pa.array(np.arange(count + 1) * turns, pa.int32())
    pixels = pa.py_buffer(np.ascontiguousarray(found.thumbs))
    return {
        "crop_id": ids,
        "phash": pa.array(found.hashes, pa.uint64()),
        "variants": pa.ListArray.from_arrays(offsets, pa.array(found.variants.ravel(), pa.uint64())),
        "contrast": pa.array(found.contrast, pa.float32()),
        "thumb": pa.Array.from_buffers(pa.binary(THUMB), count, [None, pixels]),
    }


def fingerprints_from(rows: pa.Table) -> Fingerprints:
    """What rows of FINGERPRINTS hold, or of DEDUP, which has no variants. Raises ValueError without a thumbnail."""
    if rows["thumb"].null_count or rows["contrast"].null_count:
        raise ValueError("rows without thumbnails")
    pixels = b"".join(rows["thumb"].to_pylist())
    count = rows.num_rows
    variants = np.zeros((count, 0), np.uint64)
    if "variants" in rows.schema.names and count:
        variants = pc.list_flatten(rows["variants"].combine_chunks()).to_numpy(zero_copy_only=False).reshape(count, -1)
    return Fingerprints(
        rows["phash"].to_numpy().astype(np.uint64),
        variants.astype(np.uint64),
        rows["contrast"].to_numpy().astype(np.float32),
        np.frombuffer(pixels, np.uint8).reshape(count, THUMB),
    )
