"""Who made the pictures, and under which licence: one reader of what images.parquet states, one writer of it as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import manifest, spreadsheet
from curate.pipeline.tables.manifest import IMAGES

COLUMNS = ("title", "creator", "license", "license_url", "page_url", "image_url", "path", "used")

_READ = (*COLUMNS[:-1], "candidate_id", "image_id", "domain", "source", "rank", "status")


def read_photos(root: Path, *, required: bool = True) -> pa.Table:
    """The accepted rows of images.parquet, with the columns that credits need.

    Without that table raises TableError, or returns no rows where it is not `required`.
    """
    if not required and not manifest.exists(IMAGES, root):
        return manifest.empty(IMAGES).select(list(_READ))
    return manifest.accepted(manifest.read(IMAGES, root, list(_READ)))


def uses(dataset: pa.Table, pairs: pa.Table) -> dict[str, str]:
    """What each photo trains in, by image_id: "dataset" or, also where it is in both, "pairs"."""
    found = {Path(path).stem: "dataset" for path in manifest.accepted(dataset)["source_path"].to_pylist()}
    trained = manifest.accepted(pairs)
    for column in ("article_image_id", "human_image_id"):
        found |= dict.fromkeys(trained[column].to_pylist(), "pairs")
    return found


def credit_rows(photos: pa.Table, used: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One row per photo, in order: its columns of COLUMNS and its source. `used` states its use, by image_id."""
    columns = ["image_id", "source", *(name for name in COLUMNS if name != "used")]
    for batch in photos.select(columns).to_batches(1024):
        for row in batch.to_pylist():
            yield {**row, "used": used.get(row["image_id"])}


def write_csv(path: Path, photos: pa.Table, used: Mapping[str, str], columns: Sequence[str] = COLUMNS) -> None:
    """Writes `columns` of `credit_rows` as CSV. Raises CurateError for a disk that refuses."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        spreadsheet.write(file, columns, ([row[name] for name in columns] for row in credit_rows(photos, used)))
