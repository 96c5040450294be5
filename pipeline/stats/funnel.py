"""The funnel from found to trained, counted from the tables alone, with the reason for every loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.stats.funnel_steps import Part, count, of_faces, of_pairs, pair_parts
from curate.pipeline.tables import manifest, provenance
from curate.pipeline.tables.manifest import ACCEPTED, CROPS, DATASET, DEDUP, IMAGES, PAIRS


@dataclass(frozen=True)
class SourceShare:
    """Where images come from, under which licence."""

    source: str
    license: str
    found: int
    fetched: int


@dataclass(frozen=True)
class Spread:
    """How a measure is spread over a domain: its 5 %, 50 % and 95 % quantiles."""

    domain: str
    measure: str
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Funnel:
    """Everything that `curate stats` reports."""

    parts: tuple[Part, ...]
    origins: tuple[SourceShare, ...]
    spreads: tuple[Spread, ...]
    bytes: int  # of the fetched images
    not_yet: Mapping[str, str] = field(default_factory=dict)  # table -> the command that makes it
    freshness: provenance.Freshness = field(
        default_factory=provenance.Freshness
    )  # which are older than what they were made from


def funnel(root: Path) -> Funnel:
    """Counts the tables below `root`; one that is missing is named in `not_yet`. Raises TableError for a broken one."""
    images = _read(IMAGES, root, "image_id domain role source license status reason width height bytes")
    crops = _read(CROPS, root, "crop_id domain image_id face_index status reason face_px sharpness brightness")
    dedup = _read(DEDUP, root, "crop_id domain status reason")
    dataset = _read(DATASET, root, "crop_id domain split status reason")
    pairs = _read(PAIRS, root, "domain group_id split status reason")
    needed = [IMAGES] if images is None else list(_needed(images))
    made = [(IMAGES, images), (CROPS, crops), (DEDUP, dedup), (DATASET, dataset), (PAIRS, pairs)]
    return Funnel(
        parts=(*of_faces(images, crops, dedup, dataset), *of_pairs(images, pairs)),
        origins=tuple(_origins(images)),
        spreads=tuple(_spreads(images, crops)),
        bytes=pc.sum(images["bytes"].filter(_is(images, ACCEPTED))).as_py() or 0 if images else 0,
        not_yet={table.name: table.made_by for table, rows in made if table in needed and rows is None},
        freshness=provenance.freshness(root, [table for table in provenance.ORDER if table not in unused(root)]),
    )


def unused(root: Path) -> list[manifest.Table]:
    """The tables that the images below `root` will not fill, and that hold nothing: of faces alone, the pairs.

    None as long as nothing was found. Raises TableError for a broken table.
    """
    images = _read(IMAGES, root, "domain role status")
    if images is None:
        return []
    needed = list(_needed(images))
    return [table for table in provenance.ORDER if table not in needed and not _read(table, root, table.key)]


def _needed(images: pa.Table) -> Iterator[manifest.Table]:
    """The tables that `images` will go into: faces make no pairs, and products nothing else."""
    yield IMAGES
    products = pair_parts(images)
    if pc.any(pc.invert(products)).as_py():
        yield from (CROPS, DEDUP, DATASET)
    if pc.any(products).as_py():
        yield PAIRS


def _read(table: manifest.Table, root: Path, columns: str) -> pa.Table | None:
    return manifest.read(table, root, columns.split()) if manifest.exists(table, root) else None


def _is(table: pa.Table, status: str) -> pa.ChunkedArray:
    return pc.equal(table["status"], status)


def _origins(images: pa.Table | None) -> Iterator[SourceShare]:
    counts = count(images, "source", "license", "status")
    for source, license_ in sorted({(source, license_) for source, license_, _ in counts}):
        fetched = counts[source, license_, ACCEPTED]
        yield SourceShare(source, license_, fetched + counts[source, license_, manifest.REJECTED], fetched)


def _spreads(images: pa.Table | None, crops: pa.Table | None) -> Iterator[Spread]:
    if images is not None:
        side = pc.min_element_wise(images["width"], images["height"])
        yield from _spread(images.append_column("short side, px", side), "short side, px")
    if crops is not None:
        names = {"face_px": "face, px", "sharpness": "sharpness", "brightness": "brightness"}
        crops = crops.rename_columns([names.get(name, name) for name in crops.schema.names])
        for measure in names.values():
            yield from _spread(crops, measure)


def _spread(table: pa.Table, measure: str) -> Iterator[Spread]:
    kept = table.filter(pc.and_(_is(table, ACCEPTED), pc.is_valid(table[measure])))
    for domain in sorted(pc.unique(kept["domain"]).to_pylist()):
        values = kept[measure].filter(pc.equal(kept["domain"], domain))
        yield Spread(domain, measure, *(round(q, 1) for q in pc.quantile(values, [0.05, 0.5, 0.95]).to_pylist()))
