"""Who made the pictures: a table and a page to publish beside whatever was made from them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.files import atomic_write
from curate.pipeline.tables import manifest

FOLDER = "processed/credits"
_COLUMNS = ("title", "creator", "license", "license_url", "page_url", "image_url", "path", "used")
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Credits</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem } ul { padding-left: 1.2rem; margin: 0 } small { color: #666 }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #ddd } a { color: #8bf } small { color: #999 }
}
</style>
<h1>Credits</h1>
"""


@dataclass(frozen=True)
class Credits:
    """What was written."""

    pictures: int
    creators: int
    table: str
    page: str


def run(root: Path) -> Credits:
    """Credits every accepted image of manifests/images.parquet, by creator. Raises TableError without that table.

    `used` tells what trains: the dataset, the pairs, or nothing yet.
    """
    table = manifest.accepted(manifest.read(manifest.IMAGES, root))
    table = table.sort_by([(name, "ascending") for name in ("creator", "title", "candidate_id")])
    used = _used(root)
    folder = root / FOLDER
    write_table(folder / "ATTRIBUTION.csv", table, used)
    with atomic_write(folder / "index.html") as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_page(_rows(table, used), table.num_rows))
    creators = pc.count_distinct(table["creator"]).as_py()
    return Credits(table.num_rows, creators, f"{FOLDER}/ATTRIBUTION.csv", f"{FOLDER}/index.html")


def write_table(path: Path, images: pa.Table, used: Mapping[str, str]) -> None:
    """Writes maker, licence and page of each of `images` (rows of images.parquet) as CSV; `used` tells, by image_id,
    what of it is used. Raises CurateError for a disk that refuses."""
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in _rows(images, used))


def _rows(table: pa.Table, used: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    columns = ["image_id", *(name for name in _COLUMNS if name != "used")]
    for batch in table.select(columns).to_batches(1024):
        for row in batch.to_pylist():
            yield {**row, "used": used.get(row["image_id"])}


def _used(root: Path) -> dict[str, str]:
    """What each image is used in, by image_id."""
    found: dict[str, str] = {}
    if manifest.exists(manifest.DATASET, root):
        for path in manifest.accepted(manifest.read(manifest.DATASET, root))["source_path"].to_pylist():
            found[Path(path).stem] = "dataset"
    if manifest.exists(manifest.PAIRS, root):
        pairs = manifest.accepted(manifest.read(manifest.PAIRS, root))
        for column in ("article_image_id", "human_image_id"):
            found |= dict.fromkeys(pairs[column].to_pylist(), "pairs")
    return found


def _cell(value: str | None) -> str:
    """A cell that no spreadsheet takes for a formula: strangers wrote it."""
    text = value or ""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text


def _page(rows: Iterator[dict[str, Any]], count: int) -> Iterator[str]:
    yield f"{_HEAD}<p>{count} pictures, by those who made them. Licences are as their sources state them.</p>\n"
    creator: str | None = ""
    for row in rows:
        if row["creator"] != creator:
            yield "" if creator == "" else "</ul>\n"
            creator = row["creator"]
            yield f"<h2>{escape(creator or 'Creator not stated')}</h2>\n<ul>\n"
        title = _link(row["page_url"] or row["image_url"], row["title"] or "untitled")
        yield f"<li>{title} <small>{_link(row['license_url'], row['license'])}</small></li>\n"
    yield "</ul>\n" if count else ""
    yield "</html>\n"


def _link(url: str | None, text: str) -> str:
    """`text`, leading to `url` where that is a web address."""
    if not url or not url.startswith(("http://", "https://")):
        return escape(text)
    return f'<a href="{escape(url, quote=True)}">{escape(text)}</a>'
