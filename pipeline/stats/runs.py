"""What trained runs left behind: the newest sample grid and the losses, as far as they are there."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from curate.pipeline.pages.thumbnails import Thumb, Thumbs
from curate.pipeline.stats.charts import curves

SAMPLE_SIDE = 1600  # px, longest side of a sample grid on the page
POINTS = 240  # of a curve
UNSHOWN = frozenset({"lr"})  # scalars that are no losses


@dataclass(frozen=True)
class RunSummary:
    """One folder below processed/runs."""

    name: str
    samples: Thumb | None
    sample_name: str
    charts: tuple[tuple[str, Markup, tuple[str, ...]], ...]  # heading, SVG, names of its lines


def gather(root: Path, thumbs: Thumbs) -> list[RunSummary]:
    """Every run below `root` that has something to show, by name."""
    folder = root / "processed" / "runs"
    runs = [_run(path, root, thumbs) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    return [run for run in runs if run.samples or run.charts]


def _run(folder: Path, root: Path, thumbs: Thumbs) -> RunSummary:
    grids = sorted(path for path in folder.glob("samples/*.png") if path.stem != "latest")
    newest = grids[-1] if grids else None
    thumb = None
    if newest:
        content = hashlib.sha256(newest.read_bytes()).hexdigest()
        thumb = thumbs.of(newest.relative_to(root).as_posix(), SAMPLE_SIDE, content)
    return RunSummary(folder.name, thumb, newest.name if newest else "", tuple(_charts(folder / "scalars.tsv")))


def _charts(path: Path) -> Iterator[tuple[str, Markup, tuple[str, ...]]]:
    """One chart per optimiser: the scalars that share what stands before the slash of their name."""
    steps, columns = _scalars(path)
    groups: dict[str, dict[str, list[float | None]]] = {}
    for name, values in columns.items():
        group, _, line = name.rpartition("/")
        if line not in UNSHOWN and any(v is not None for v in values):
            groups.setdefault(group or "loss", {})[line] = values
    for group, series in groups.items():
        chart = curves(steps, series, f"{group} over steps")
        if chart:
            yield group, chart, tuple(series)


def _scalars(path: Path) -> tuple[list[float], dict[str, list[float | None]]]:
    """Steps and columns of a scalars.tsv, thinned to POINTS rows; empty when it is missing or not one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return [], {}
    rows = rows[:: max(1, math.ceil(len(rows) / POINTS))]
    if not rows or "step" not in rows[0]:
        return [], {}
    columns = [name for name in rows[0] if name not in {"step", None}]
    steps = [_float(row["step"]) or 0.0 for row in rows]
    return steps, {name: [_float(row[name]) for row in rows] for name in columns}


def _float(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
