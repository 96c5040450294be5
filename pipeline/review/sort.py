"""Crops in order of one measure, to look at: a contact sheet and a list. A view only: no file or table changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.core.progress import SILENT, Progress, Task
from curate.pipeline.faces.config import domain_rules
from curate.pipeline.imaging import codec, shards, warp
from curate.pipeline.pages import contact_sheet
from curate.pipeline.pages.contact_sheet import Shown, Tile
from curate.pipeline.pages.thumbnails import SIDE, inside
from curate.pipeline.review import sort_keys
from curate.pipeline.tables import crop_status, decisions, manifest

STATUSES = (manifest.ACCEPTED, manifest.REJECTED, "all")
_HEADER = ("crop_id", "value", "domain", "path", "status", "reason", "source_path")


@dataclass(frozen=True)
class SortQuery:
    """What to look at, and in which order."""

    by: str  # a name of sort_keys.KEYS
    domains: tuple[str, ...] = ()  # none: all
    status: str = "accepted"  # one of STATUSES, by the last word of all stages and decisions
    reverse: bool = False
    top: int | None = None  # rows on list and sheet; None: all on the list, the first on the sheet


def run(query: SortQuery, root: Path, *, progress: Progress = SILENT) -> contact_sheet.SheetFiles:
    """Writes processed/views/KEY-....html and .tsv.

    Raises UsageError for an unknown key or domain and TableError when crops.parquet is missing, or dedup.parquet where
    the key is the hash.
    """
    key = sort_keys.named(query.by)
    if query.status not in STATUSES:
        raise UsageError(f"there is no status '{query.status}'{nearest(query.status, STATUSES)}", " ".join(STATUSES))
    decided = decisions.read(root, progress.note)
    table = crop_status.crop_statuses(root, ["affine", *key.columns], decided)
    table = manifest.filter_domains(manifest.CROPS, table, query.domains, root)
    if query.status != "all":
        table = table.filter(pc.equal(table["status"], query.status))
    places, values = sort_keys.sort(table, key, reverse=query.reverse)
    total = len(places)
    places, values = places[: query.top], values[: query.top]
    table = table.take(pa.array(places))
    first = table.slice(0, query.top or contact_sheet.SHOWN).to_pylist()
    with progress.task("sheet", len(first)) as task:
        pictures = list(_shown(first, values, root, decided, task))
    return contact_sheet.write(
        root,
        "-".join([query.by, *query.domains, *([] if query.status == "accepted" else [query.status])]),
        heading=f"by {query.by}",
        lead=_lead(query, total, len(pictures)),
        header=_HEADER,
        rows=list(_rows(table, values)),
        shown=pictures,
    )


def picture(row: Mapping[str, Any], sizes: Mapping[str, int], root: Path, side: int = SIDE) -> codec.RGB | None:
    """What a row of crops.parquet shows: its crop, or what its crop would be, or the photo; None without a file.

    `row` holds path, source_path, affine and domain, `sizes` the side of a domain's crops in px. What a crop would be
    is of `side` px; of a photo the longer side has that at least, or is whole.
    """
    try:
        if row["path"]:
            return codec.decode(shards.read(root, row["path"]))
        data = shards.read(root, row["source_path"])
        if row["affine"] is None:
            return (codec.preview(data, side) or (codec.decode(data), 1))[0]
        photo = codec.decode(data)
        affine = np.array(row["affine"]).reshape(2, 3)
        scale = side / sizes.get(row["domain"], side)
        affine = np.column_stack([affine[:, :2] * scale, (affine[:, 2] + 0.5) * scale - 0.5])
        return warp.cut(photo, affine, side)
    except (OSError, codec.ImageError):
        return None


def crop_sizes(root: Path, domains: Sequence[str]) -> dict[str, int]:
    """The side of each domain's crops in px, as crops.parquet says that they were cut."""
    section = manifest.meta(manifest.CROPS, root).get("section", {})
    return {domain: domain_rules(section, domain).size for domain in domains}


def _shown(
    rows: Sequence[Mapping[str, Any]], values: sort_keys.Values, root: Path, decided: decisions.Decisions, task: Task
) -> Iterator[Shown]:
    """The pictures of `rows`; those whose file has gone are left out."""
    sizes = crop_sizes(root, sorted({row["domain"] for row in rows}))
    for row, value in zip(rows, values, strict=False):
        task.advance()
        small = picture(row, sizes, root)
        if small is not None:
            decision = (
                decided.decision(row["crop_id"], row["image_id"]) if row["reason"] in {"review", "select"} else None
            )
            why = f"{row['reason']}: {decision.reason}" if decision and decision.reason else row["reason"]
            value_text = "no value" if np.isnan(value) else f"{value:.4g}"
            refused = row["status"] == manifest.REJECTED
            yield Shown(
                Tile(inside(small), row["crop_id"]),
                value_text,
                row["domain"],
                why if refused else "",
                id=row["crop_id"],
            )


def _rows(table: pa.Table, values: sort_keys.Values) -> Iterator[tuple[object, ...]]:
    columns = [table[name].to_pylist() for name in _HEADER if name != "value"]
    for value, crop_id, *others in zip(values.tolist(), *columns, strict=True):
        yield (crop_id, value, *others)


def _lead(query: SortQuery, rows: int, shown: int) -> str:
    first = (
        ("the other way round", "in that order") if query.by in sort_keys.BY_HASH else ("highest first", "lowest first")
    )
    domains = ", ".join(query.domains) or "all domains"
    return f"{domains}, {query.status}, {first[not query.reverse]}: {shown:,} of {rows:,}"
