"""What is exported: the crops or the pairs that train, in their splits, with their pixels, makers and licences."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, shards
from curate.pipeline.tables import attribution, manifest
from curate.pipeline.tables.manifest import DATASET, IMAGES, PAIRS
from curate.pipeline.tables.provenance import CUT
from curate.pipeline.tables.splits import SPLITS

CROP = ("image",)
PAIR = ("article", "human")
_ATTRIBUTION = ("creator", "title", "page_url", "license_url")
_BATCH = 1024


@dataclass(frozen=True)
class ExportItem:
    """One crop, or one pair."""

    key: str
    domain: str
    pictures: tuple[str, ...]  # paths below the root, in the order of ExportSet.kinds
    image_ids: tuple[str, ...]  # the photos that they come from
    facts: dict[str, Any]  # what is known of it beside the pictures

    @property
    def file(self) -> str:
        """A name for a file of its own."""
        return f"{self.key}.png"


class ExportSet:
    """Everything that is exported."""

    def __init__(
        self, root: Path, kinds: tuple[str, ...], rows: pa.Table, domains: tuple[str, ...], size: int | None
    ) -> None:
        self.root = root
        self.kinds = kinds  # what each item's pictures are
        self.domains = domains  # in the order of their numbers
        self.size = size  # px, side; None: as they are
        self._schema = rows.schema
        self._lacking = {name for name in rows.schema.names if rows[name].null_count}
        self._tables: dict[str, pa.Table] = {split: rows.filter(pc.equal(rows["split"], split)) for split in SPLITS}

    @property
    def is_pairs(self) -> bool:
        """Whether each item is an article and a human."""
        return self.kinds == PAIR

    @property
    def splits(self) -> list[str]:
        """Those that have rows."""
        return [split for split in SPLITS if self.count(split)]

    @property
    def texts(self) -> list[str]:
        """The facts that are words; an item may lack any of them."""
        return [f.name for f in self._schema if pa.types.is_string(f.type) and f.name not in self._hidden]

    def everywhere(self, fact: str) -> bool:
        """Whether each item has `fact`."""
        return fact in self._schema.names and fact not in self._lacking

    @property
    def _hidden(self) -> set[str]:
        return {f"{kind}_{what}" for kind in self.kinds for what in ("path", "id")}

    def count(self, split: str) -> int:
        """Items in `split`."""
        return int(self._tables[split].num_rows)

    def items(self, split: str, start: int = 0, most: int | None = None) -> Iterator[ExportItem]:
        """The items of `split` in key order, from the one at `start` on, `most` of them at most."""
        for batch in self._tables[split].slice(start, most).to_batches(_BATCH):
            for row in batch.to_pylist():
                pictures = tuple(row.pop(f"{kind}_path") for kind in self.kinds)
                photos = tuple(row.pop(f"{kind}_id") for kind in self.kinds)
                facts = {name: value for name, value in row.items() if value is not None}
                yield ExportItem(row["id"], row["domain"], pictures, photos, facts)

    def picture(self, path: str) -> codec.RGB:
        """The picture at `path`, uint8 [H, W, 3], of `size` px where one was asked for.

        Raises CurateError for one that is missing or damaged.
        """
        picture = shards.load_picture(self.root, path, self._made_by)
        return picture if self.size is None else _resized(picture, self.size)

    def png(self, path: str) -> bytes:
        """The same as PNG."""
        if self.size is None:
            return shards.load_png(self.root, path, self._made_by)
        return codec.encode_png(self.picture(path))

    @property
    def _made_by(self) -> str:
        return PAIRS.made_by if self.is_pairs else CUT


def read(root: Path, domains: Sequence[str], *, pairs: bool, size: int | None) -> ExportSet:
    """What trains of `domains` (of all for none).

    Raises TableError without its table and UsageError for a domain that is not there, or when nothing trains.
    """
    table = PAIRS if pairs else DATASET
    rows = manifest.accepted(manifest.read(table, root))
    rows = manifest.filter_domains(table, rows, domains, root)
    if not rows.num_rows:
        raise UsageError(f"{table.path(root)}: nothing in it trains", "see where they were lost: curate stats")
    known = tuple(domains) or tuple(sorted(pc.unique(rows["domain"]).to_pylist()))
    return ExportSet(root, PAIR if pairs else CROP, (_pairs if pairs else _crops)(rows, root), known, size)


def _crops(rows: pa.Table, root: Path) -> pa.Table:
    photos = pa.array([Path(path).stem for path in rows["source_path"].to_pylist()], pa.string())
    found = {"id": rows["crop_id"], "image_path": rows["path"], "image_id": photos}
    found |= {name: rows[name] for name in ("domain", "split", "license", "cluster_id", "landmarks")}
    return pa.table(found | _attribution(root, photos))


def _pairs(rows: pa.Table, root: Path) -> pa.Table:
    found = {"id": rows["pair_id"]}
    for kind in PAIR:
        found |= {f"{kind}_path": rows[f"{kind}_path"], f"{kind}_id": rows[f"{kind}_image_id"]}
    found |= {name: rows[name] for name in ("domain", "split", "license", "cluster_id", "group_id")}
    return pa.table(found | _attribution(root, rows["human_image_id"]))


def _attribution(root: Path, photos: pa.Array) -> dict[str, pa.Array]:
    """Who made each photo and where, as images.parquet has it; nothing without that table."""
    if not manifest.exists(IMAGES, root):
        return {}
    known = attribution.read_photos(root)
    place = pc.index_in(photos, value_set=known["image_id"].combine_chunks())
    return {name: known[name].take(place) for name in _ATTRIBUTION}


def _resized(picture: codec.RGB, size: int) -> codec.RGB:
    height, width = picture.shape[:2]
    if (height, width) == (size, size):
        return picture
    method = cv2.INTER_AREA if max(height, width) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=method), np.uint8)


def put(export_set: ExportSet, path: str, target: Path, *, link: bool) -> None:
    """The picture at `path` as `target`, unless it stands there: a hard link with `link` where that can be, or a copy.

    Raises CurateError for a picture that is missing and for a disk that refuses.
    """
    if target.exists():
        return
    source = inside(export_set.root, path)
    if link and export_set.size is None and source.is_file():
        with suppress(OSError):  # another file system, or one without links
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)
            return
    data = export_set.png(path)
    with atomic_write(target, durable=False) as temporary:
        temporary.write_bytes(data)
