"""What the report shows, read from the tables: sheets of pictures, each with a word on why it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.stats.gallery import Gallery, Picture
from curate.pipeline.stats.reasons import REASONS
from curate.pipeline.stats.tables import Row, Tables
from curate.pipeline.tables import manifest

EXAMPLES = 12  # pictures per reason
CLUSTERS = 12
COPIES = 5  # pictures per cluster
ADDRESSES = 3  # shown for what never became a picture


@dataclass(frozen=True)
class LossSheet:
    """What one stage refused for one reason."""

    stage: str
    reason: str
    meaning: str
    counts: Mapping[str, int]  # per domain
    pictures: Sequence[Sequence[Picture]]  # those of one row together: a pair's two
    addresses: Sequence[str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Sheet:
    """Pictures of one domain."""

    domain: str
    total: int
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Copies:
    """A picture that is kept and those that gave way to it, the label of each its distance."""

    domain: str
    kept: Picture
    copies: Sequence[Picture]
    more: int


@dataclass(frozen=True)
class Pair:
    """An article and a person wearing it."""

    article: Picture
    human: Picture
    split: str


def losses(tables: Tables, gallery: Gallery) -> Iterator[LossSheet]:
    """Every reason of every stage, the stages in order, with examples."""

    def alone(show: Callable[[Row], Picture | None]) -> Callable[[Row], list[Picture]]:
        return lambda row: [picture for picture in [show(row)] if picture]

    stages: tuple[tuple[str, pa.Table, Callable[[Row], list[Picture]]], ...] = (
        ("scrape", tables.images, alone(gallery.candidate)),
        ("crop", tables.crops, alone(lambda row: gallery.face(row, _measures(row)))),
        ("dedup", tables.dedup, alone(lambda row: gallery.crop(row["crop_id"], row["domain"]))),
        ("build", tables.dataset, alone(lambda row: gallery.crop(row["crop_id"], row["domain"]))),
        ("pairs", tables.pairs, gallery.pair),
    )
    for stage, table, show in stages:
        refused = table.filter(pc.equal(table["status"], manifest.REJECTED))
        counts = refused.group_by(["reason", "domain"]).aggregate([([], "count_all")]).to_pylist()
        by_reason: dict[str, dict[str, int]] = {}
        for row in sorted(counts, key=lambda row: row["domain"]):
            by_reason.setdefault(row["reason"], {})[row["domain"]] = row["count_all"]
        for reason in sorted(by_reason, key=lambda r: (-sum(by_reason[r].values()), r)):
            rows = _some(refused, "reason", reason, 4 * EXAMPLES)
            pictures = _first(map(show, rows), EXAMPLES)
            lost = [] if pictures else [address for row in rows if (address := _address(row))]
            meaning = REASONS[stage].get(reason, "")
            yield LossSheet(stage, reason, meaning, by_reason[reason], pictures, lost[:ADDRESSES])


def _address(row: Row) -> str | None:
    return row.get("image_url") or row.get("page_url") or row.get("file")


def kept(tables: Tables, gallery: Gallery, per_sheet: int) -> Iterator[Sheet]:
    """A contact sheet per domain: crops that train, or that were accepted as long as no dataset is there."""
    table = manifest.accepted(tables.dataset if tables.dataset.num_rows else tables.crops)
    for domain in _domains(table):
        rows = _some(table, "domain", domain, per_sheet)
        total = pc.sum(pc.equal(table["domain"], domain)).as_py()
        pictures = (gallery.crop(row["crop_id"], row.get("split") or "") for row in rows)
        yield Sheet(domain, total, [picture for picture in pictures if picture])


def duplicates(tables: Tables, gallery: Gallery) -> Iterator[Copies]:
    """Clusters of near copies, the largest first: the crop, or the pair, that is kept beside those that are not."""

    def article(pair_id: str, label: str) -> Picture | None:
        row = tables.pair(pair_id)
        return next(iter(gallery.pair(row, label)), None) if row else None

    yield from _clusters(tables.dedup, "crop_id", "phash", tables.copied, gallery.crop)
    yield from _clusters(tables.pairs, "pair_id", "article_phash", tables.pair, article)


def _clusters(
    table: pa.Table,
    key: str,
    hash_column: str,
    find: Callable[[str], Row | None],
    show: Callable[[str, str], Picture | None],
) -> Iterator[Copies]:
    clusters: dict[str, list[dict[str, Any]]] = {}
    columns = [key, hash_column, "domain", "duplicate_of"]
    for row in table.filter(pc.is_valid(table["duplicate_of"])).select(columns).to_pylist():
        clusters.setdefault(row["duplicate_of"], []).append(row)
    for kept_id in sorted(clusters, key=lambda name: (-len(clusters[name]), name))[:CLUSTERS]:
        rows, best, original = clusters[kept_id], find(kept_id), show(kept_id, "kept")
        if best and original:
            labels = (_distance(row[hash_column], best[hash_column]) for row in rows[:COPIES])
            shown = [show(row[key], label) for row, label in zip(rows, labels, strict=False)]
            pictures = [picture for picture in shown if picture]
            yield Copies(rows[0]["domain"], original, pictures, len(rows) - len(pictures))


def _distance(one: int | None, other: int | None) -> str:
    """In how many of 64 bits two hashes differ."""
    return "" if one is None or other is None else f"{(one ^ other).bit_count()} bits"


def pairs(tables: Tables, gallery: Gallery, per_sheet: int) -> Iterator[Pair]:
    """The first pairs that were kept."""
    for row in manifest.accepted(tables.pairs).slice(0, per_sheet).to_pylist():
        shown = gallery.pair(row)
        if len(shown) == 2:
            yield Pair(shown[0], shown[1], row["split"])


def _some(table: pa.Table, column: str, value: str, most: int) -> list[dict[str, Any]]:
    """The first rows with `value` in `column`. Keys are hashes, so these are a fair sample, and always the same."""
    rows: list[dict[str, Any]] = table.filter(pc.equal(table[column], value)).slice(0, most).to_pylist()
    return rows


def _first(shown: Iterator[list[Picture]], most: int) -> list[list[Picture]]:
    """The first of `shown` that have a picture."""
    found: list[list[Picture]] = []
    for pictures in shown:
        if pictures:
            found.append(pictures)
        if len(found) == most:
            break
    return found


def _domains(table: pa.Table) -> list[str]:
    return sorted(pc.unique(table["domain"]).to_pylist())


def _measures(row: Row) -> str:
    """The measured values beside a refused crop."""
    names = {"faces": "faces", "face_px": "face px", "padding": "padding", "sharpness": "sharpness"}
    measured = [f"{name} {row[key]:.4g}" for key, name in names.items() if row[key] is not None]
    return ", ".join(measured)
