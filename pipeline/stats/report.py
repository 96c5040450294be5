"""The HTML report: one page that shows what was found, what was lost and why, and what trains.

The page stands on its own: no script, nothing fetched, its pictures beside it. It holds no times, so equal tables
give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curate.pipeline.core.files import write_text
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.pages import templates
from curate.pipeline.pages.thumbnails import Thumbs
from curate.pipeline.stats import funnel, gather, measures, runs
from curate.pipeline.stats.config import Stats
from curate.pipeline.stats.reasons import STAGES
from curate.pipeline.tables.splits import SPLITS

FOLDER = "processed/report"
CREDITED = 20  # images that the page itself credits; attribution.csv has them all


def write(section: Stats, root: Path, *, progress: Progress = SILENT) -> Path:
    """Writes processed/report/index.html with its thumbnails, stats.json, funnel.csv and attribution.csv.

    Returns the page's path. Tables that are not there yet leave their part out. Raises TableError for a broken one.
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
        view["copies"] = list(gather.duplicates(tables, thumbs))
        view["pairs"] = list(gather.pairs(tables, thumbs, section.per_sheet))
        task.advance()
        view["runs"] = runs.gather(root, thumbs)
        task.advance()
        used = measures.attribution(tables)
        view |= {"measures": list(measures.measures(tables)), "credits": used[:CREDITED], "used": len(used)}
        page = write_text(folder / "index.html", render(view))
        task.advance()
    thumbs.sweep()
    write_text(folder / "attribution.csv", measures.attribution_csv(used))
    funnel.write_metrics(counts, folder)
    return page


def render(view: Mapping[str, Any]) -> str:
    """The page for `view`. Everything in it that came from the web is escaped."""
    return templates.render(
        "page.html", {**view, "stages": STAGES, "totals": _totals(view["funnel"])}, "curate.pipeline.stats"
    )


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
