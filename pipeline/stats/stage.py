"""The report of `curate stats --html`: one page that shows what was found, what was lost and why, and what trains.

The page stands on its own: no script, nothing fetched, its pictures beside it. It holds no times, so equal tables
give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.core.files import write_text
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.pages import templates
from curate.pipeline.pages.thumbnails import Thumbs
from curate.pipeline.stats import funnel, gather, map_of_suspects, measures, runs
from curate.pipeline.stats.config import Stats
from curate.pipeline.stats.reasons import STAGES
from curate.pipeline.stats.run_tables import write_run_tables
from curate.pipeline.tables import attribution, manifest
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.splits import SPLITS

FOLDER = "processed/report"
CREDITED = 20  # images that the page itself credits; attribution.csv has them all
_CREDIT_COLUMNS = ("title", "creator", "license", "license_url", "page_url", "image_url", "source", "path")


def run(section: Stats, root: Path, *, progress: Progress = SILENT) -> Path:
    """Writes processed/report/index.html with its thumbnails, stats.json, funnel.csv and attribution.csv.

    Beside them, for DVC, the numbers of every run: metrics/RUN.json, losses.csv and scores.csv. Returns the page's
    path. Tables that are not there yet leave their part out. Raises TableError for a broken one.
    """
    folder = root / FOLDER
    thumbs = Thumbs(root, folder / "thumbs")
    tables = gather.Tables(root)
    counts = funnel.funnel(root)
    with progress.task("report", 5) as task:
        view: dict[str, Any] = {"funnel": counts, "losses": list(gather.losses(tables, thumbs))}
        task.advance()
        view["sheets"] = list(gather.kept(tables, thumbs, section.per_sheet))
        task.advance()
        view["map"] = map_of_suspects.found(root, thumbs)
        view["copies"] = list(gather.duplicates(tables, thumbs))
        view["pairs"] = list(gather.pairs(tables, thumbs, section.per_sheet))
        task.advance()
        view["runs"] = runs.gather(root, thumbs)
        task.advance()
        used = attribution.uses(tables.dataset, tables.pairs)
        photos = _photos_in_use(tables, used)
        view |= {"measures": list(measures.measures(tables)), "used": photos.num_rows}
        view["credits"] = list(attribution.credit_rows(photos.slice(0, CREDITED), used))
        page = write_text(folder / "index.html", render(view))
        task.advance()
    thumbs.sweep()
    attribution.write_csv(folder / "attribution.csv", photos, used, _CREDIT_COLUMNS)
    funnel.write_metrics(counts, folder)
    write_run_tables(root, folder)
    return page


def render(view: Mapping[str, Any]) -> str:
    """The page for `view`. Everything in it that came from the web is escaped."""
    return templates.render(
        "page.html", {**view, "stages": STAGES, "totals": _totals(view["funnel"])}, "curate.pipeline.stats"
    )


def _photos_in_use(tables: gather.Tables, used: Mapping[str, str]) -> pa.Table:
    """The rows of images.parquet of photos that train, by domain and order of discovery."""
    photos = manifest.accepted(tables.images)
    photos = photos.filter(is_in(photos["image_id"], used))
    return photos.sort_by([(name, "ascending") for name in ("domain", "rank", "candidate_id")])


def _totals(funnel: funnel.Funnel) -> dict[str, int]:
    """Sums over the domains, for the head of the page; steps that nobody has reached are left out."""
    totals: dict[str, int] = {}
    for part in funnel.parts:
        for step in ("found", "fetched"):
            totals[step] = totals.get(step, 0) + (part.steps[step] or 0)
        kept = [part.steps[split] for split in SPLITS]
        if None not in kept:
            name = "crops" if part.kind == "faces" else "pairs"
            totals[name] = totals.get(name, 0) + sum(n or 0 for n in kept)
    return totals
