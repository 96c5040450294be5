"""The report of `curate stats --html`: one page that shows what was found, what was lost and why, and what trains.

The page stands on its own: nothing is fetched, its pictures lie beside it, and without its script it can be read, too.
It holds no times, so equal tables give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.files import write_text
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.pages import templates
from curate.pipeline.pages.thumbnails import Thumbs
from curate.pipeline.stats import (
    averages,
    before_after,
    before_after_picture,
    funnel,
    funnel_text,
    gather,
    map_of_suspects,
    measures,
    runs,
)
from curate.pipeline.stats.config import Stats
from curate.pipeline.stats.evaluated import evaluated
from curate.pipeline.stats.funnel_steps import UNITS, Part
from curate.pipeline.stats.gallery import Gallery
from curate.pipeline.stats.reasons import STAGES
from curate.pipeline.stats.run_tables import run_folders, write_run_tables
from curate.pipeline.stats.tables import Tables
from curate.pipeline.tables import attribution, manifest
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.splits import SPLITS

FOLDER = "processed/report"
_HERE = "curate.pipeline.stats"
WATCH_SECONDS = 10  # from one look at the runs to the next
CREDITED = 20  # images that the page itself credits; attribution.csv has them all
_CREDIT_COLUMNS = ("title", "creator", "license", "license_url", "page_url", "image_url", "source", "path")


@dataclass(frozen=True)
class Total:
    """One number at the head of the page."""

    count: int
    label: str
    note: str = ""  # of what the set holds: its splits


@at_work(writes=["report"], reads=["crops", "dedup", "pairs", "dataset"])
def run(section: Stats, root: Path, *, planned: Iterable[str] = (), progress: Progress = SILENT) -> Path:
    """Writes processed/report/index.html with its thumbnails, stats.json, funnel.csv and attribution.csv.

    Beside them before-after.jpg, once photos were translated, and watch.html, which shows the runs that are there and
    those that are `planned` as they learn; for DVC, the numbers of every run: metrics/RUN.json, losses.csv and
    scores.csv. Returns the page's path. Tables that are not there yet leave their part out. Raises TableError for a
    broken one, and ConfinementError for a link that leads out of the root.
    """
    folder = closed_folder(root, FOLDER)
    thumbs = Thumbs(root, folder / "thumbs")
    tables = Tables(root)
    gallery = Gallery(root, tables, thumbs)
    counts = funnel.funnel(root)
    with progress.task("report", 6) as task:
        translated = before_after.translations(root)
        view: dict[str, Any] = {"results": list(before_after.side_by_side(translated, root, gallery))}
        before_after_picture.write_picture(translated, folder)
        task.advance()
        view |= {"funnel": counts, "losses": list(gather.losses(tables, gallery))}
        task.advance()
        view["sheets"] = list(gather.kept(tables, gallery, section.per_sheet))
        view["averages"] = averages.averages(tables.crops, root, thumbs)
        task.advance()
        view["map"] = map_of_suspects.found(root, gallery)
        view["copies"] = list(gather.duplicates(tables, gallery))
        view["pairs"] = list(gather.pairs(tables, gallery, section.per_sheet))
        task.advance()
        view |= {"runs": runs.gather(root, thumbs), "evaluated": evaluated(root)}
        view["learning"] = _write_watch(root, folder, planned)
        task.advance()
        used = attribution.uses(tables.dataset, tables.pairs)
        photos = _photos_in_use(tables, used)
        view |= {"measures": list(measures.measures(tables, gallery)), "used": photos.num_rows}
        view["credits"] = list(attribution.credit_rows(photos.slice(0, CREDITED), used))
        view["details"] = gallery.details()
        page = write_text(folder / "index.html", render(view))
        task.advance()
    thumbs.sweep()
    attribution.write_csv(folder / "attribution.csv", photos, used, _CREDIT_COLUMNS)
    funnel_text.write_metrics(counts, folder)
    write_run_tables(root, folder)
    return page


def _write_watch(root: Path, folder: Path, planned: Iterable[str]) -> list[str]:
    """Writes watch.html; returns the `planned` runs that have not ended yet."""
    there = {path.name: (path / "metrics.json").is_file() for path in run_folders(root)}
    names = [*there, *(name for name in planned if name not in there)]
    page = templates.render("watch.html", {"runs": names, "seconds": WATCH_SECONDS}, _HERE)
    write_text(folder / "watch.html", page)
    return [name for name in planned if not there.get(name)]


def render(view: Mapping[str, Any]) -> str:
    """The page for `view`. Everything in it that came from the web is escaped; the script is this folder's page.js."""
    script = templates.script("page.js", _HERE)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # a browser runs this script alone
    fixed = {"stages": STAGES, "totals": _totals(view["funnel"].parts), "script": script, "script_digest": digest}
    return templates.render("page.html", {**view, **fixed}, _HERE)


def _photos_in_use(tables: Tables, used: Mapping[str, str]) -> pa.Table:
    """The rows of images.parquet of photos that train, by domain and order of discovery."""
    photos = manifest.accepted(tables.images)
    photos = photos.filter(is_in(photos["image_id"], used))
    return photos.sort_by([(name, "ascending") for name in ("domain", "rank", "candidate_id")])


def _totals(parts: Iterable[Part]) -> list[Total]:
    """Sums over the domains, for the head of the page; what nobody has reached is left out."""
    parts = list(parts)
    totals = []
    for name in ("found", "fetched"):
        counts = [part.steps[name].count for part in parts if name in part.steps]
        if counts:
            totals.append(Total(sum(counts), f"pictures {name}"))
    for kind in UNITS:
        splits = [part.split for part in parts if part.kind == kind and part.split]
        if splits:
            held = {name: sum(split[name] for split in splits) for name in SPLITS}
            note = ", ".join(f"{n:,} {name}" for name, n in held.items())
            totals.append(Total(sum(held.values()), f"{kind} in the set", note))
    return totals
