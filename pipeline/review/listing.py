"""Photos that wait for a person: those without a face, and those with several. A contact sheet and a list, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.core.progress import SILENT, Progress, Task
from curate.pipeline.faces import criteria
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging import codec, shards
from curate.pipeline.pages import contact_sheet
from curate.pipeline.pages.contact_sheet import Shown, Tile, percent
from curate.pipeline.pages.thumbnails import inside
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.arrow import is_in

WHAT = ("no-face", "several")

_SIDE = 224  # px of a photo on the sheet: a missed face must be seen
_HEADER = ("image_id", "faces", "domain", "path", "decided")
_NO_FACES = frozenset(check.reason for check in criteria.face_criteria(CropRules()))  # detections that are none


def run(
    what: str, root: Path, *, domains: Sequence[str] = (), decided_too: bool = False, progress: Progress = SILENT
) -> contact_sheet.SheetFiles:
    """Writes processed/views/WHAT.html and .tsv: photos in which no face was found, or several that count as one.

    Photos that a person has decided on in manifests/review.jsonl are left out, unless `decided_too`. Raises UsageError
    for an unknown list or domain and TableError when crops.parquet is missing.
    """
    if what not in WHAT:
        raise UsageError(f"there is no list '{what}'{nearest(what, WHAT)}", f"lists: {', '.join(WHAT)}")
    decided = decisions.read(root, progress.note)
    columns = ["image_id", "source_path", "domain", "face_index", "box", "reason"]
    table = manifest.filter_domains(manifest.CROPS, manifest.read(manifest.CROPS, root, columns), domains, root)
    photos = list(_without(table) if what == "no-face" else _several(table))
    for photo in photos:
        decision = decided.decision(photo["image_id"])
        photo["decided"] = decision.decision if decision and decision.by_person else None
    photos = [photo for photo in photos if decided_too or not photo["decided"]]
    first = photos[: contact_sheet.SHOWN]
    with progress.task("sheet", len(first)) as task:
        shown = list(_shown(first, root, task))
    return contact_sheet.write(
        root,
        "-".join([what, *domains]),
        heading="photos without a face" if what == "no-face" else "photos with several faces",
        lead=f"{', '.join(domains) or 'all domains'}: {len(shown):,} of {len(photos):,}",
        header=_HEADER,
        rows=[(p["image_id"], len(p["boxes"]), p["domain"], p["source_path"], p["decided"]) for p in photos],
        shown=shown,
    )


def _without(table: pa.Table) -> Iterator[dict[str, Any]]:
    found = table.filter(pc.equal(table["reason"], "no_face")).sort_by(
        [(name, "ascending") for name in ("domain", "source_path")]
    )
    for row in found.select(["image_id", "source_path", "domain"]).to_pylist():
        yield {**row, "boxes": []}


def _several(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The most faces first."""
    none = is_in(table["reason"], _NO_FACES)
    faces = table.filter(pc.and_(pc.greater_equal(table["face_index"], 0), pc.invert(none)))
    photos: dict[tuple[str, str], dict[str, Any]] = {}
    for row in faces.sort_by("face_index").to_pylist():
        key = row["domain"], row["image_id"]
        photo = {name: row[name] for name in ("image_id", "source_path", "domain")}
        photos.setdefault(key, {**photo, "boxes": []})["boxes"].append(row["box"])
    many = [photo for photo in photos.values() if len(photo["boxes"]) > 1]
    yield from sorted(many, key=lambda p: (-len(p["boxes"]), p["domain"], p["source_path"]))


def _shown(photos: Sequence[dict[str, Any]], root: Path, task: Task) -> Iterator[Shown]:
    for photo in photos:
        task.advance()
        try:
            data = shards.read(root, photo["source_path"])
            picture, divisor = codec.preview(data, _SIDE) or (codec.decode(data), 1)
        except (OSError, codec.ImageError):
            continue
        boxes = percent(photo["boxes"], (picture.shape[1] * divisor, picture.shape[0] * divisor))
        tile = Tile(inside(picture, _SIDE), photo["source_path"], boxes)
        caption = f"{len(photo['boxes'])} faces" if photo["boxes"] else photo["domain"]
        yield Shown(
            tile, caption, photo["domain"] if photo["boxes"] else "", photo["decided"] or "", id=photo["image_id"]
        )
