"""Which checkpoint somebody means: by a run, RUN@STEP, RUN@best, RUN@METRIC, or the file itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import entries
from curate.train.engine import checkpoint, safetensors_file
from curate.train.runs.config import from_dict
from curate.train.runs.run_dir import RunDir, known_config


@dataclass(frozen=True)
class StoredCheckpoint:
    """A checkpoint of a run, or one of its best networks."""

    path: Path  # the file
    source: str  # as it was asked for
    config_json: Mapping[str, Any]  # of the run, under today's keys


def find(word: Path | str) -> StoredCheckpoint | None:
    """The checkpoint that `word` names; None where it names no run and no file of one.

    `word` is a run's folder, of which the newest counts, its folder checkpoints or best, one of the files in them, or
    RUN@WHICH: a step, "best" by the run's first metric, or a metric. Raises UsageError for a run that has no such one,
    and for a broken file or config.json.
    """
    path = Path(word)
    if path.is_dir():
        if RunDir(path).is_run:
            return _of_run(RunDir(path), "", str(word))
        if path.name in ("checkpoints", "best") and RunDir(path.parent).is_run:
            return _of_run(RunDir(path.parent), "best" if path.name == "best" else "", str(word))
        return None
    if path.exists():
        return _of_file(path)
    run, _, which = str(word).rpartition("@")
    return _of_run(RunDir(Path(run)), which, str(word)) if run and Path(run).is_dir() else None


def find_in_run(path: Path, which: str = "") -> StoredCheckpoint:
    """The checkpoint `which` of the run in the folder `path`, which may say it itself, as RUN@WHICH.

    Raises like `find`, and UsageError for anything that is no run.
    """
    run, _, said = str(path).rpartition("@")
    if run and not path.exists() and Path(run).is_dir():
        return _of_run(RunDir(Path(run)), which or said, str(path))
    return _of_run(RunDir(path), which, str(path))


def _of_run(run_dir: RunDir, which: str, source: str) -> StoredCheckpoint:
    config_json = run_dir.read()
    if not which:
        path = checkpoint.newest(run_dir.checkpoints)
        if path is None:
            recipe = config_json["recipe"]
            raise UsageError(f"{run_dir.path}: no checkpoint yet", f"train it: curate train {recipe}")
    elif which.isdecimal():
        path = _of_step(run_dir, int(which))
    else:
        path = _best(run_dir.best, str(from_dict(config_json).run.metrics[0]) if which == "best" else which)
    return StoredCheckpoint(path, source, config_json)


def _of_step(run_dir: RunDir, step: int) -> Path:
    kept = {step: run_dir.checkpoints / f"{step:08}.safetensors" for step in checkpoint.steps(run_dir.checkpoints)}
    best = {
        int(number[1]): path
        for path in entries(run_dir.best)
        if path.suffix == ".safetensors" and (number := re.search(r"-(\d+)$", path.stem))
    }
    found = best | kept
    if step not in found:
        known = ", ".join(map(str, sorted(found))) or "none"
        raise UsageError(
            f"{run_dir.path}: no checkpoint after step {step}: there are {known}",
            "name one of them; run.keep_last says how many are kept, run.checkpoint_every how often",
        )
    return found[step]


def _best(folder: Path, metric: str) -> Path:
    """The networks of the step that was best by `metric`, which may leave out the feature net where there is one."""
    found = (path for path in entries(folder) if path.suffix == ".safetensors")
    metrics = {path: path.stem.rpartition("-")[0] for path in found}
    matching = {path: name for path, name in metrics.items() if metric in (name, name.partition("_")[0])}
    names = sorted(set(matching.values()))
    if len(names) != 1:
        known = ", ".join(names or sorted(set(metrics.values()))) or "none"
        raise UsageError(
            f"{folder}: {'more than one' if names else 'no'} best by '{metric}': there are {known}",
            "name one of them; runs are measured while run.measure_every is not 0, and keep run.keep_best of each",
        )
    return min(matching, key=_value)


def _value(path: Path) -> float:
    value = checkpoint.read_header(path).get("value")
    if not isinstance(value, int | float):
        raise UsageError(f"{path}: does not say how good it was", "delete it, or name another of the run")
    return value


def _of_file(path: Path) -> StoredCheckpoint | None:
    if not safetensors_file.is_one(path):
        return None
    text = safetensors_file.metadata(path).get(checkpoint.HEADER)
    if text is None:
        return None
    try:
        config_json = known_config(from_json(text)["config"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path}: does not say of which run it is: {error}", "name the run's folder: RUN@STEP, RUN@best"
        ) from None
    return StoredCheckpoint(path, str(path), config_json)
