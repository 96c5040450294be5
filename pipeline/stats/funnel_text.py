"""The funnel as text for a terminal, and as files for DVC."""

from __future__ import annotations

import io
from pathlib import Path

from curate.pipeline.core.files import write_text
from curate.pipeline.core.terminal_text import json_text
from curate.pipeline.core.text_table import table
from curate.pipeline.stats.funnel import Funnel
from curate.pipeline.stats.funnel_steps import UNITS, Kind
from curate.pipeline.tables import spreadsheet
from curate.pipeline.tables.splits import SPLITS


def text(found: Funnel, *, counts_alone: bool = False) -> str:
    """The funnel as plain tables, and what is out of date or still to be made; the counts alone without reasons."""
    blocks = [_steps_table(found, kind) for kind in UNITS]
    if not counts_alone:
        blocks += [_losses_table(found, kind) for kind in UNITS]
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
    """A row per domain under the steps, and under these what they count."""
    parts = [part for part in found.parts if part.kind == kind]
    names = (*UNITS[kind], *SPLITS)
    units = ("", *UNITS[kind].values(), *(kind for _ in SPLITS))
    rows = [(part.domain, *(part.count(name) for name in names)) for part in parts]
    return table((kind, *(name.replace("_", " ") for name in names)), [units, *rows]) if rows else ""


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
    """The counts as kind -> domain -> step or split -> number; what no stage has reached yet is left out."""
    tree: dict[str, dict[str, dict[str, int]]] = {}
    for part in found.parts:
        counts = {name: step.count for name, step in part.steps.items()}
        tree.setdefault(part.kind, {})[part.domain] = counts | part.split
    return tree


def write_metrics(found: Funnel, folder: Path) -> tuple[Path, Path]:
    """Writes stats.json (for `dvc metrics`) and funnel.csv (for `dvc plots`) into `folder`; returns their paths."""
    rows = io.StringIO()
    counts = metrics(found)
    cells = (
        (kind, domain, step, n)
        for kind, domains in counts.items()
        for domain, steps in domains.items()
        for step, n in steps.items()
    )
    spreadsheet.write(rows, ("kind", "domain", "step", "count"), cells)
    numbers = write_text(folder / "stats.json", json_text(counts, indent=2) + "\n")
    return numbers, write_text(folder / "funnel.csv", rows.getvalue())
