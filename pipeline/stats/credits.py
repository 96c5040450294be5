"""Who made the pictures: a table and a page to publish beside whatever was made from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curate.pipeline.core.files import atomic_write
from curate.pipeline.pages import templates
from curate.pipeline.tables import attribution, manifest

FOLDER = "processed/credits"
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

    The column `used` states what trains: the dataset, the pairs, or nothing yet.
    """
    order = [(name, "ascending") for name in ("creator", "title", "candidate_id")]
    photos = attribution.read_photos(root).sort_by(order)
    used = _used(root)
    folder = root / FOLDER
    attribution.write_csv(folder / "ATTRIBUTION.csv", photos, used)
    with atomic_write(folder / "index.html") as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_page(attribution.credit_rows(photos, used), photos.num_rows))
    creators = pc.count_distinct(photos["creator"]).as_py()
    return Credits(photos.num_rows, creators, f"{FOLDER}/ATTRIBUTION.csv", f"{FOLDER}/index.html")


def _used(root: Path) -> dict[str, str]:
    """What each image trains in, by image_id, as far as the tables are there."""
    dataset, pairs = (
        manifest.read(table, root) if manifest.exists(table, root) else manifest.empty(table)
        for table in (manifest.DATASET, manifest.PAIRS)
    )
    return attribution.uses(dataset, pairs)


def _page(rows: Iterator[dict[str, Any]], count: int) -> Iterator[str]:
    yield f"{_HEAD}<p>{count} pictures, by those who made them. Licences are as their sources state them.</p>\n"
    creator: str | None = ""
    for row in rows:
        if row["creator"] != creator:
            yield "" if creator == "" else "</ul>\n"
            creator = row["creator"]
            yield f"<h2>{templates.text(creator or 'Creator not stated')}</h2>\n<ul>\n"
        title = templates.link(row["page_url"] or row["image_url"], row["title"] or "untitled")
        yield f"<li>{title} <small>{templates.link(row['license_url'], row['license'])}</small></li>\n"
    yield "</ul>\n" if count else ""
    yield "</html>\n"
