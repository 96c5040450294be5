"""What trained runs left behind: the newest sample grid and the losses, as far as they are there."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from curate.pipeline.pages.thumbnails import Thumb, Thumbs
from curate.pipeline.stats.charts import curves
from curate.pipeline.stats.run_tables import UNSHOWN, read_scalars, run_folders

SAMPLE_SIDE = 1600  # px, longest side of a sample grid on the page
POINTS = 240  # of a curve


@dataclass(frozen=True)
class RunSummary:
    """One folder below processed/runs."""

    name: str
    samples: Thumb | None
    sample_name: str
    charts: tuple[tuple[str, Markup, tuple[str, ...]], ...]  # heading, SVG, names of its lines


def gather(root: Path, thumbs: Thumbs) -> list[RunSummary]:
    """Every run below `root` that has something to show, by name."""
    runs = [_run(path, root, thumbs) for path in run_folders(root)]
    return [run for run in runs if run.samples or run.charts]


def _run(folder: Path, root: Path, thumbs: Thumbs) -> RunSummary:
    newest = newest_sample(folder / "samples")
    thumb = None
    if newest:
        content = hashlib.sha256(newest.read_bytes()).hexdigest()
        thumb = thumbs.thumbnail(newest.relative_to(root).as_posix(), SAMPLE_SIDE, content)
    return RunSummary(folder.name, thumb, newest.name if newest else "", tuple(_charts(folder / "scalars.tsv")))


def newest_sample(folder: Path) -> Path | None:
    """The grid in `folder` of the most steps; None where there is none."""
    return max(folder.glob("*.png"), key=_step, default=None)


def _step(grid: Path) -> tuple[int, str]:
    """By what the newest grid is found: its step, as a number; names that have none come before all others."""
    number = re.search(r"(\d+)$", grid.stem)
    return int(number[1]) if number else -1, grid.name


def _charts(path: Path) -> Iterator[tuple[str, Markup, tuple[str, ...]]]:
    """One chart per optimiser: the scalars that share what stands before the slash of their name."""
    scalars = read_scalars(path)
    stride = max(1, math.ceil(len(scalars.steps) / POINTS))
    groups: dict[str, dict[str, list[float | None]]] = {}
    for name, column in scalars.columns.items():
        values = column[::stride]
        group, _, line = name.rpartition("/")
        if line not in UNSHOWN and any(v is not None for v in values):
            groups.setdefault(group or "loss", {})[line] = values
    for group, series in groups.items():
        chart = curves(scalars.steps[::stride], series, f"{group} over steps")
        if chart:
            yield group, chart, tuple(series)
