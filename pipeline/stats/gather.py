"""What the report shows, read from the tables: sheets of pictures, each with a word on why it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.pages.contact_sheet import Tile, percent
from curate.pipeline.pages.thumbnails import Thumbs
from curate.pipeline.stats.reasons import REASONS
from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import ACCEPTED, CROPS, DATASET, DEDUP, IMAGES, PAIRS

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
    tiles: Sequence[Tile]
    addresses: Sequence[str]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Sheet:
    """Pictures of one domain."""

    domain: str
    total: int
    tiles: Sequence[Tile]


@dataclass(frozen=True)
class Copies:
    """A picture that is kept and those that gave way to it."""

    domain: str
    kept: Tile
    copies: Sequence[Tile]
    more: int


@dataclass(frozen=True)
class Pair:
    """An article and a person wearing it."""

    article: Tile
    human: Tile
    split: str


class Tables:
    """Every table below `root`; one that is not there yet is empty."""

    def __init__(self, root: Path) -> None:
        self.images, self.crops, self.dedup, self.dataset, self.pairs = (
            manifest.read(table, root) if manifest.exists(table, root) else manifest.empty(table)
            for table in (IMAGES, CROPS, DEDUP, DATASET, PAIRS)
        )


def losses(tables: Tables, thumbs: Thumbs) -> Iterator[LossSheet]:
    """Every reason of every stage, the stages in order, with examples."""
    paths = _paths(tables.images)
    sizes = _sizes(tables.images)

    def scraped(row: Mapping[str, Any]) -> Tile | None:
        thumb = thumbs.thumbnail(row["path"] or paths.get(row["image_id"]))
        return Tile(thumb, row["file"] or row["title"] or row["image_url"] or "") if thumb else None

    def cropped(row: Mapping[str, Any]) -> Tile | None:
        thumb = thumbs.thumbnail(row["source_path"])
        return Tile(thumb, _measures(row), percent([row["box"]], sizes.get(row["image_id"]))) if thumb else None

    def copied(row: Mapping[str, Any]) -> Tile | None:
        thumb = thumbs.thumbnail(crop_paths.get(row["crop_id"]))
        return Tile(thumb, row["domain"]) if thumb else None

    def paired(row: Mapping[str, Any]) -> Tile | None:
        thumb = thumbs.thumbnail(paths.get(row["article_image_id"] or row["human_image_id"]))
        return Tile(thumb, row["group_id"]) if thumb else None

    crop_paths = _crop_paths(tables.crops)
    stages = (
        ("scrape", tables.images, scraped),
        ("crop", tables.crops, cropped),
        ("dedup", tables.dedup, copied),
        ("build", tables.dataset, copied),
        ("pairs", tables.pairs, paired),
    )
    for stage, table, show in stages:
        refused = table.filter(pc.equal(table["status"], manifest.REJECTED))
        counts = refused.group_by(["reason", "domain"]).aggregate([([], "count_all")]).to_pylist()
        by_reason: dict[str, dict[str, int]] = {}
        for row in sorted(counts, key=lambda row: row["domain"]):
            by_reason.setdefault(row["reason"], {})[row["domain"]] = row["count_all"]
        for reason in sorted(by_reason, key=lambda r: (-sum(by_reason[r].values()), r)):
            rows = _some(refused, "reason", reason, 4 * EXAMPLES)
            tiles = _first(map(show, rows), EXAMPLES)
            lost = (
                []
                if tiles
                else [u for row in rows if (u := row.get("image_url") or row.get("page_url") or row.get("file"))]
            )
            yield LossSheet(stage, reason, REASONS[stage].get(reason, ""), by_reason[reason], tiles, lost[:ADDRESSES])


def kept(tables: Tables, thumbs: Thumbs, per_sheet: int) -> Iterator[Sheet]:
    """A contact sheet per domain: crops that train, or that were accepted as long as no dataset is there."""
    table = manifest.accepted(tables.dataset if tables.dataset.num_rows else tables.crops)
    for domain in _domains(table):
        rows = _some(table, "domain", domain, per_sheet)
        total = pc.sum(pc.equal(table["domain"], domain)).as_py()
        thumbnails = ((thumbs.thumbnail(row["path"]), row.get("split") or "") for row in rows)
        yield Sheet(domain, total, [Tile(thumb, split) for thumb, split in thumbnails if thumb])


def duplicates(tables: Tables, thumbs: Thumbs) -> Iterator[Copies]:
    """Clusters of near copies, the largest first: the crop, or the article, that is kept beside those that are not."""
    crops = _crop_paths(tables.crops)
    articles = dict(zip(tables.pairs["pair_id"].to_pylist(), tables.pairs["article_path"].to_pylist(), strict=True))
    yield from _clusters(tables.dedup, "crop_id", crops, thumbs)
    yield from _clusters(tables.pairs, "pair_id", articles, thumbs)


def _clusters(table: pa.Table, key: str, paths: Mapping[str, str | None], thumbs: Thumbs) -> Iterator[Copies]:
    clusters: dict[str, list[dict[str, Any]]] = {}
    for row in table.filter(pc.is_valid(table["duplicate_of"])).to_pylist():
        clusters.setdefault(row["duplicate_of"], []).append(row)
    for kept_id in sorted(clusters, key=lambda key: (-len(clusters[key]), key))[:CLUSTERS]:
        rows = clusters[kept_id]
        best = thumbs.thumbnail(paths.get(kept_id))
        tiles = [Tile(t) for t in (thumbs.thumbnail(paths.get(row[key])) for row in rows[:COPIES]) if t]
        if best:
            yield Copies(rows[0]["domain"], Tile(best), tiles, len(rows) - len(tiles))


def pairs(tables: Tables, thumbs: Thumbs, per_sheet: int) -> Iterator[Pair]:
    """The first pairs that were kept."""
    for row in manifest.accepted(tables.pairs).slice(0, per_sheet).to_pylist():
        article, human = thumbs.thumbnail(row["article_path"]), thumbs.thumbnail(row["human_path"])
        if article and human:
            yield Pair(Tile(article, row["group_id"]), Tile(human, row["group_id"]), row["split"])


def _some(table: pa.Table, column: str, value: str, most: int) -> list[dict[str, Any]]:
    """The first rows with `value` in `column`. Keys are hashes, so these are a fair sample, and always the same."""
    rows: list[dict[str, Any]] = table.filter(pc.equal(table[column], value)).slice(0, most).to_pylist()
    return rows


def _first(tiles: Iterator[Tile | None], most: int) -> list[Tile]:
    found: list[Tile] = []
    for tile in tiles:
        if tile:
            found.append(tile)
        if len(found) == most:
            break
    return found


def _domains(table: pa.Table) -> list[str]:
    return sorted(pc.unique(table["domain"]).to_pylist())


def _paths(images: pa.Table) -> dict[str, str]:
    """image_id -> file."""
    there = images.filter(pc.is_valid(images["path"]))
    return dict(zip(there["image_id"].to_pylist(), there["path"].to_pylist(), strict=True))


def _sizes(images: pa.Table) -> dict[str, tuple[int, int]]:
    """image_id -> width, height in px."""
    there = images.filter(pc.and_(pc.equal(images["status"], ACCEPTED), pc.is_valid(images["width"])))
    sizes = zip(there["width"].to_pylist(), there["height"].to_pylist(), strict=True)
    return dict(zip(there["image_id"].to_pylist(), sizes, strict=True))


def _crop_paths(crops: pa.Table) -> dict[str, str | None]:
    return dict(zip(crops["crop_id"].to_pylist(), crops["path"].to_pylist(), strict=True))


def _measures(row: Mapping[str, Any]) -> str:
    """The measured values beside a refused crop."""
    names = {"faces": "faces", "face_px": "face px", "padding": "padding", "sharpness": "sharpness"}
    measured = [f"{name} {row[key]:.4g}" for key, name in names.items() if row[key] is not None]
    return ", ".join(measured)
