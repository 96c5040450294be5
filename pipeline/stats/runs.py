"""What trained runs left behind: how good they are, over steps and side by side; samples, health and losses."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from curate.pipeline.core.files import NOT_THERE, reading
from curate.pipeline.pages.thumbnails import Thumb, Thumbs
from curate.pipeline.stats.charts import curves, number
from curate.pipeline.stats.run_tables import (
    UNSHOWN,
    Scalars,
    direction,
    read_json,
    read_metrics,
    read_scalars,
    run_folders,
)

SAMPLE_SIDE = 1600  # px, longest side of a sample grid on the page
POINTS = 240  # of a curve
_TASK = re.compile(r"_([a-z]+2[a-z]+)$")  # how the names of scores end that are of one direction
_SPREAD = "_std_"
_FIRST = ("kid", "fid")  # what runs are judged by
_MEANINGS = {  # by what the name of a metric begins with
    "kid": "distance from real ones; 0 is best",
    "fid": "distance from real ones; 0 is best",
    "diversity": "1: as unlike each other as real ones",
    "structure": "edges kept, of 1",
    "colour": "colours kept, of 1",
    "change": "mean change of a pixel, of 1",
    "checkerboard": "pattern over the pictures; 0 is best",
}


@dataclass(frozen=True)
class Chart:
    """Lines over steps under a heading."""

    heading: str
    svg: Markup  # nothing where no line has two points
    lines: tuple[str, ...]
    meaning: str = ""
    numbers: tuple[str, ...] = ()  # of each line then: the one value, and after how many steps


@dataclass(frozen=True)
class RunSummary:
    """One folder below processed/runs."""

    name: str
    recipe: str
    steps: int | None  # done
    health: str  # as its last diagnosis has it; "" without one
    samples: Thumb | None
    sample_name: str
    latest: Mapping[str, str]  # the last score of each metric that runs are judged by, as text
    best: str  # the step of the best networks, and by what
    scores: tuple[Chart, ...]
    losses: tuple[Chart, ...]

    @property
    def healthy(self) -> bool:
        return self.health == "nothing unusual"


@dataclass(frozen=True)
class Runs:
    """Every run, and what they have in common."""

    summaries: Sequence[RunSummary]
    compared: Sequence[Chart]  # one metric of several runs
    judged_by: Sequence[str]  # the metrics that any run's `latest` has


def gather(root: Path, thumbs: Thumbs) -> Runs:
    """Every run below `root` that has something to show, by name."""
    folders = run_folders(root)
    scores = {folder.name: _scores(folder) for folder in folders}
    found = [_run(folder, scores[folder.name], root, thumbs) for folder in folders]
    shown = [run for run in found if run.samples or run.losses or run.scores]
    judged = dict.fromkeys(name for run in shown for name in run.latest)
    return Runs(shown, tuple(_compared({run.name: scores[run.name] for run in shown})), tuple(judged))


def _run(folder: Path, scores: Scalars, root: Path, thumbs: Thumbs) -> RunSummary:
    newest = newest_sample(folder / "samples")
    thumb = None
    if newest:
        content = hashlib.sha256(newest.read_bytes()).hexdigest()
        thumb = thumbs.thumbnail(newest.relative_to(root).as_posix(), SAMPLE_SIDE, content)
    losses = _thinned(read_scalars(folder / "scalars.tsv"))
    best = read_metrics(folder / "metrics.json").get("best", {})
    return RunSummary(
        name=folder.name,
        recipe=str(read_json(folder / "config.json").get("recipe", "")),
        steps=int(losses.steps[-1]) if losses.steps else None,
        health=_health(folder / "health.txt"),
        samples=thumb,
        sample_name=newest.name if newest else "",
        latest=_latest(scores),
        best=_best(best),
        scores=tuple(_named(chart, folder) for chart in _charts(scores, by_direction=True)),
        losses=tuple(_charts(losses, by_direction=False)),
    )


def _named(chart: Chart, run: Path) -> Chart:
    """`chart` with the directions of its lines in words."""
    return replace(chart, lines=tuple(direction(run, line) for line in chart.lines))


def _best(found: Any) -> str:
    """The best step by each metric, in words."""
    ranked = found.items() if isinstance(found, dict) else ()
    numbers = [(name, one.get("step"), one.get("value")) for name, one in ranked if isinstance(one, dict)]
    return "; ".join(
        f"{name} {number(value)} after {step:,} steps"
        for name, step, value in numbers
        if isinstance(step, int | float) and isinstance(value, int | float)
    )


def _health(path: Path) -> str:
    """The last diagnosis, without the line that names its step."""
    try:
        with reading(path):
            return path.read_text("utf-8").partition("\n")[2].strip()
    except (*NOT_THERE, UnicodeDecodeError):
        return ""


def newest_sample(folder: Path) -> Path | None:
    """The grid in `folder` of the most steps; None where there is none."""
    return max(folder.glob("*.png"), key=_step, default=None)


def _step(grid: Path) -> tuple[int, str]:
    """By what the newest grid is found: its step, as a number; names that have none come before all others."""
    found = re.search(r"(\d+)$", grid.stem)
    return int(found[1]) if found else -1, grid.name


def _scores(folder: Path) -> Scalars:
    """What was measured on held-out images, without the group that all the names begin with."""
    scores = _thinned(read_scalars(folder / "scores.tsv"))
    return Scalars(scores.steps, {name.rpartition("/")[2]: values for name, values in scores.columns.items()})


def _thinned(scalars: Scalars) -> Scalars:
    """At most POINTS steps, the last one among them."""
    stride = max(1, math.ceil(len(scalars.steps) / POINTS))
    return Scalars(scalars.steps[::-stride][::-1], {name: v[::-stride][::-1] for name, v in scalars.columns.items()})


def _metric(name: str) -> tuple[str, str]:
    """A score's metric and its direction: kid_standin_a2b is ("kid_standin", "a2b")."""
    task = _TASK.search(name)
    return (name[: task.start()], task[1]) if task else (name, "")


def _is_judge(metric: str) -> bool:
    return metric.startswith(_FIRST) and _SPREAD not in metric


def _latest(scores: Scalars) -> dict[str, str]:
    """The last value of each score that runs are judged by, with its spread where one was measured."""
    found = {}
    for name, values in scores.columns.items():
        if _is_judge(_metric(name)[0]) and (value := _last(values)) is not None:
            spread = _last(scores.columns.get(name.replace("_", _SPREAD, 1), ()))
            found[name] = number(value) + (f" ± {number(spread)}" if spread is not None else "")
    return found


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _charts(scalars: Scalars, *, by_direction: bool) -> Iterator[Chart]:
    """A chart per metric with a line per direction; or one per optimiser: what stands before the slash of a name."""
    groups: dict[str, dict[str, Sequence[float | None]]] = {}
    for name, values in scalars.columns.items():
        group, line = _metric(name) if by_direction else (name.rpartition("/")[0] or "loss", name.rpartition("/")[2])
        if line not in UNSHOWN and _SPREAD not in name and any(v is not None for v in values):
            groups.setdefault(group, {})[line] = values
    for group in sorted(groups, key=lambda group: not _is_judge(group)) if by_direction else groups:
        lines = {name: (scalars.steps, values) for name, values in groups[group].items()}
        yield _chart(group, lines, _MEANINGS.get(group.partition("_")[0], "") if by_direction else "")


def _chart(heading: str, lines: Mapping[str, tuple[Sequence[float], Sequence[float | None]]], meaning: str) -> Chart:
    """A chart of the values of each line over its steps; their numbers where there is one of each alone."""
    known = [
        [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        for steps, values in lines.values()
    ]
    if all(len(points) < 2 for points in known):
        numbers = (f"{number(value)} after {step:,.0f} steps" for points in known for step, value in points)
        return Chart(heading, Markup(""), tuple(lines), meaning, tuple(numbers))
    return Chart(heading, curves(lines, heading), tuple(lines), meaning)


def _compared(scores: Mapping[str, Scalars]) -> Iterator[Chart]:
    """For each score that several runs are judged by, a chart with a line for each of these."""
    names = dict.fromkeys(name for one in scores.values() for name in one.columns if _is_judge(_metric(name)[0]))
    for name in names:
        lines = {run: (one.steps, one.columns[name]) for run, one in scores.items() if name in one.columns}
        if len(lines) > 1:
            yield _chart(name, lines, "")
