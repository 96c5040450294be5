"""The runs below processed/runs as plain files for `dvc metrics` and `dvc plots`, whatever the runs are called."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.files import NOT_THERE, reading, write_text
from curate.pipeline.tables import spreadsheet

RUNS = "processed/runs"
POINTS = 300  # rows of one scalar in a table
COLUMNS = ("run", "scalar", "step", "value")
UNSHOWN = frozenset({"lr"})  # last parts of the names of scalars that are no losses
_SEEN = "seen/"  # how scalars begin that are logged beside the losses


class Scalars(NamedTuple):
    """A table of scalars over steps; None where one was not measured."""

    steps: list[float]
    columns: Mapping[str, list[float | None]]  # by name, each as long as `steps`


def run_folders(root: Path) -> list[Path]:
    """The folders below processed/runs, by name. Raises ConfinementError where a link in them leads out of `root`."""
    folder = closed_folder(root, RUNS)
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def direction(run: Path, way: str, named: object = None) -> str:
    """A direction such as a2b in words, "long to short", by the run's folder, else by the domains `named`; as it is
    where neither says."""
    data = read_json(run / "config.json").get("data")
    domains = data.get("domains") if isinstance(data, dict) else named
    ends = [domains.get(end) for end in way.split("2")] if isinstance(domains, dict) else []
    return f"{ends[0]} to {ends[1]}" if len(ends) == 2 and all(ends) else way


def read_scalars(path: Path) -> Scalars:
    """A run's scalars.tsv or scores.tsv; empty when it is missing or not one. What is not finite reads as None.

    Raises CurateError for one that can't be read.
    """
    try:
        with reading(path), path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (*NOT_THERE, UnicodeDecodeError, csv.Error):
        return Scalars([], {})
    if not rows or "step" not in rows[0]:
        return Scalars([], {})
    columns = [name for name in rows[0] if name not in {"step", None}]
    steps = [_float(row["step"]) or 0.0 for row in rows]
    return Scalars(steps, {name: [_float(row[name]) for row in rows] for name in columns})


def write_run_tables(root: Path, folder: Path) -> None:
    """Writes metrics/RUN.json, losses.csv and scores.csv of every run into `folder`.

    A table has at most POINTS rows for each scalar, evenly spaced, the last one among them; without runs it has a
    header alone. Files of runs that are gone are removed. Raises CurateError for a disk that refuses.
    """
    runs = run_folders(root)
    metrics = {path.name: found for path in runs if (found := read_metrics(path / "metrics.json"))}
    for name, found in metrics.items():
        write_text(folder / "metrics" / f"{name}.json", json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    (folder / "metrics").mkdir(parents=True, exist_ok=True)  # DVC misses the folder where no run has ended yet
    for path in (folder / "metrics").glob("*.json"):
        if path.stem not in metrics:
            path.unlink()
    for table, source in (("losses.csv", "scalars.tsv"), ("scores.csv", "scores.tsv")):
        rows = (row for run in runs for row in _rows(run.name, read_scalars(run / source)))
        text = io.StringIO()
        spreadsheet.write(text, COLUMNS, rows)
        write_text(folder / table, text.getvalue())


def _rows(run: str, scalars: Scalars) -> Iterator[tuple[str, str, int, float]]:
    for name, values in scalars.columns.items():
        if name.startswith(_SEEN) or name.rpartition("/")[2] in UNSHOWN:
            continue
        known = [(step, value) for step, value in zip(scalars.steps, values, strict=True) if value is not None]
        yield from ((run, name, int(step), value) for step, value in _thinned(known))


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """POINTS of `points` at most, the first and the last among them."""
    if len(points) <= POINTS:
        return list(points)
    return [points[round(n * (len(points) - 1) / (POINTS - 1))] for n in range(POINTS)]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a run; empty when it is missing or none. Raises CurateError where it can't be read."""
    try:
        with reading(path):
            found = from_json(path.read_text("utf-8"))
    except (*NOT_THERE, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_metrics(path: Path) -> dict[str, Any]:
    """The finite numbers of a metrics.json, in its groups; empty when it is missing or not one."""
    found: dict[str, Any] = _numbers(read_json(path))
    return found


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: found for key, one in value.items() if (found := _numbers(one)) is not None}
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if number else None


def _float(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
