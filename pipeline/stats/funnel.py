"""The funnel from found to trained, and the reason for every loss, counted from the tables alone."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.text_table import table
from curate.pipeline.tables import manifest, provenance
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.manifest import ACCEPTED, CROPS, DATASET, DEDUP, IMAGES, PAIRS
from curate.pipeline.tables.splits import SPLITS

Kind = Literal["faces", "pairs"]
STEPS: Mapping[Kind, tuple[str, ...]] = {
    "faces": ("found", "fetched", "faces", "kept", "duplicates", *SPLITS),
    "pairs": ("found", "fetched", "products", "kept", "duplicates", *SPLITS),
}
NO_PAIR = ("no_article", "no_human")


@dataclass(frozen=True)
class Loss:
    """What one stage refused for one reason."""

    stage: str
    reason: str
    count: int


@dataclass(frozen=True)
class Part:
    """One domain's way through the stages; a step that no stage has reached yet is None.

    Of faces: candidates found, images fetched, images with a face, crops kept, copies among these, and the rest by
    split. Of pairs: pictures found and fetched, whole products, pairs kept, copies among these, the rest by split.
    """

    domain: str
    kind: Kind
    steps: Mapping[str, int | None]
    losses: tuple[Loss, ...]


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
    images = _read(IMAGES, root, "domain role group_id source license status reason width height bytes")
    crops = _read(CROPS, root, "domain image_id face_index status reason face_px sharpness brightness")
    dedup = _read(DEDUP, root, "domain status reason")
    dataset = _read(DATASET, root, "domain split status reason")
    pairs = _read(PAIRS, root, "domain group_id split status reason")
    tables = {"images": images, "crops": crops, "dedup": dedup, "dataset": dataset, "pairs": pairs}
    return Funnel(
        parts=(*_faces(images, crops, dedup, dataset), *_pairs(images, pairs)),
        origins=tuple(_origins(images)),
        spreads=tuple(_spreads(images, crops)),
        bytes=pc.sum(images["bytes"].filter(_is(images, ACCEPTED))).as_py() or 0 if images else 0,
        not_yet=_not_yet(tables),
        freshness=provenance.freshness(root),
    )


def _not_yet(tables: Mapping[str, pa.Table | None]) -> dict[str, str]:
    """The tables that are still to be made, with their commands: those that the images found so far will need."""
    lacking = {name: manifest.TABLES[name].made_by for name, table in tables.items() if table is None}
    if (images := tables["images"]) is None:
        return {"images": lacking["images"]}
    products = pair_parts(images)
    used = {"pairs"} if pc.any(products).as_py() else set()
    used |= {"crops", "dedup", "dataset"} if pc.any(pc.invert(products)).as_py() else set()
    return {name: command for name, command in lacking.items() if name in used}


def _read(table: manifest.Table, root: Path, columns: str) -> pa.Table | None:
    return manifest.read(table, root, columns.split()) if manifest.exists(table, root) else None


def _is(table: pa.Table, status: str) -> pa.ChunkedArray:
    return pc.equal(table["status"], status)


def _count(table: pa.Table | None, *keys: str) -> Counter[tuple[Any, ...]]:
    """Rows per combination of `keys`."""
    if table is None:
        return Counter()
    groups = table.group_by(list(keys)).aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(row[key] for key in keys): row["count_all"] for row in groups})


def _distinct(table: pa.Table | None, column: str) -> dict[str, int]:
    """Different values of `column` per domain."""
    if table is None:
        return {}
    groups = table.group_by("domain").aggregate([(column, "count_distinct")]).to_pylist()
    return {row["domain"]: row[f"{column}_count_distinct"] for row in groups}


def pair_parts(images: pa.Table) -> pa.ChunkedArray:
    """Which rows of images.parquet are pictures of products, or candidates of a domain that has nothing else."""
    role = pc.is_valid(images["role"])
    loose = images.filter(pc.and_(pc.invert(role), _is(images, ACCEPTED)))
    with_role = set(pc.unique(images["domain"].filter(role)).to_pylist())
    only_products = sorted(with_role - set(pc.unique(loose["domain"]).to_pylist()))
    return pc.or_(role, is_in(images["domain"], only_products))


def _faces(
    images: pa.Table | None, crops: pa.Table | None, dedup: pa.Table | None, dataset: pa.Table | None
) -> Iterator[Part]:
    if images is not None:
        images = images.filter(pc.invert(pair_parts(images)))
    stages = {"scrape": images, "crop": crops, "dedup": dedup}
    status = {stage: _count(table, "domain", "status") for stage, table in stages.items()}
    losses = {stage: _count(table, "domain", "reason") for stage, table in {**stages, "build": dataset}.items()}
    if dataset is not None:
        dataset = manifest.accepted(dataset)
    if crops is not None:
        crops = crops.filter(pc.or_(pc.greater_equal(crops["face_index"], 0), _is(crops, ACCEPTED)))
    faces, split = _distinct(crops, "image_id"), _count(dataset, "domain", "split")
    domains = {key[0] for counts in status.values() for key in counts} | {key[0] for key in split}
    for domain in sorted(domains):
        fetched = status["scrape"][domain, ACCEPTED]
        steps: dict[str, int | None] = {
            "found": None if images is None else fetched + status["scrape"][domain, manifest.REJECTED],
            "fetched": None if images is None else fetched,
            "faces": None if crops is None else faces.get(domain, 0),
            "kept": None if crops is None else status["crop"][domain, ACCEPTED],
            "duplicates": None if dedup is None else losses["dedup"][domain, "duplicate"],
            **{name: None if dataset is None else split[domain, name] for name in SPLITS},
        }
        yield Part(domain, "faces", steps, tuple(_losses(losses, domain)))


def _pairs(images: pa.Table | None, pairs: pa.Table | None) -> Iterator[Part]:
    if images is not None:
        images = images.filter(pair_parts(images))
    stages = {"scrape": images, "pairs": pairs}
    status = _count(images, "domain", "status")
    losses = {stage: _count(table, "domain", "reason") for stage, table in stages.items()}
    whole = split = None
    if pairs is not None:
        whole = pairs.filter(pc.invert(is_in(pairs["reason"], NO_PAIR)))
        split = _count(pairs.filter(_is(pairs, ACCEPTED)), "domain", "split")
    products = _distinct(whole, "group_id")
    domains = {key[0] for counts in losses.values() for key in counts}
    for domain in sorted(domains):
        made, fetched = losses["pairs"], status[domain, ACCEPTED]
        steps: dict[str, int | None] = {
            "found": None if images is None else fetched + status[domain, manifest.REJECTED],
            "fetched": None if images is None else fetched,
            "products": None if pairs is None else products.get(domain, 0),
            "kept": None if pairs is None else made[domain, manifest.OK] + made[domain, "duplicate"],
            "duplicates": None if pairs is None else made[domain, "duplicate"],
            **{name: None if split is None else split[domain, name] for name in SPLITS},
        }
        yield Part(domain, "pairs", steps, tuple(_losses(losses, domain)))


def _losses(counts: Mapping[str, Counter[tuple[Any, ...]]], domain: str) -> Iterator[Loss]:
    """The domain's losses, in the order of the stages, the most frequent first."""
    for stage, by_reason in counts.items():
        own = [(reason, n) for (d, reason), n in by_reason.items() if d == domain and reason != manifest.OK]
        yield from (Loss(stage, reason, n) for reason, n in sorted(own, key=lambda item: (-item[1], item[0])))


def _origins(images: pa.Table | None) -> Iterator[SourceShare]:
    counts = _count(images, "source", "license", "status")
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


def text(found: Funnel, *, counts_alone: bool = False) -> str:
    """The funnel as plain tables, and what is out of date or still to be made; the counts alone without reasons."""
    blocks = [_steps_table(found, kind) for kind in STEPS]
    if not counts_alone:
        blocks += [_losses_table(found, kind) for kind in STEPS]
        rows = [(o.source, o.license, o.found, o.fetched) for o in found.origins]
        spreads = [(s.domain, s.measure, s.low, s.median, s.high) for s in found.spreads]
        blocks.append(table(("source", "licence", "found", "fetched"), rows, left=2) if rows else "")
        blocks.append(table(("domain", "measure", "5 %", "median", "95 %"), spreads, left=2) if spreads else "")
    blocks.append(found.freshness.text())
    if found.not_yet:
        commands = "\n".join(f"  {made_by}" for made_by in found.not_yet.values())
        blocks.append(f"not yet made ({', '.join(found.not_yet)}); next:\n{commands}")
    return "\n\n".join(block for block in blocks if block)


def _steps_table(found: Funnel, kind: Kind) -> str:
    parts = [part for part in found.parts if part.kind == kind]
    rows = [(part.domain, *(part.steps[step] for step in STEPS[kind])) for part in parts]
    return table((kind, *STEPS[kind]), rows) if rows else ""


def _losses_table(found: Funnel, kind: Kind) -> str:
    """One row per stage and reason, one column per domain."""
    parts = [part for part in found.parts if part.kind == kind]
    counts = {(part.domain, loss.stage, loss.reason): loss.count for part in parts for loss in part.losses}
    lost = dict.fromkeys((loss.stage, loss.reason) for part in parts for loss in part.losses)
    order = {"scrape": 0, "crop": 1, "dedup": 2, "build": 3, "pairs": 4}
    rows = [
        (stage, reason, *(counts.get((part.domain, stage, reason), 0) for part in parts))
        for stage, reason in sorted(lost, key=lambda key: order[key[0]])
    ]
    return table(("lost at", "reason", *(part.domain for part in parts)), rows, left=2) if rows else ""


def metrics(found: Funnel) -> dict[str, dict[str, dict[str, int]]]:
    """The counts as kind -> domain -> step -> number, for `dvc metrics`; steps not reached yet are left out."""
    tree: dict[str, dict[str, dict[str, int]]] = {}
    for part in found.parts:
        steps = {name: n for name, n in part.steps.items() if n is not None}
        tree.setdefault(part.kind, {})[part.domain] = steps
    return tree


def write_metrics(found: Funnel, folder: Path) -> tuple[Path, Path]:
    """Writes stats.json (for `dvc metrics`) and funnel.csv (for `dvc plots`) into `folder`; returns their paths."""
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(("kind", "domain", "step", "count"))
    for kind, domains in metrics(found).items():
        for domain, steps in domains.items():
            writer.writerows((kind, domain, step, n) for step, n in steps.items())
    texts = {
        folder / "stats.json": json.dumps(metrics(found), ensure_ascii=False, indent=2) + "\n",
        folder / "funnel.csv": rows.getvalue(),
    }
    for path, content in texts.items():
        with atomic_write(path) as temporary:
            temporary.write_text(content, "utf-8")
    json_path, csv_path = texts
    return json_path, csv_path
