"""What a command makes of a run's folder: it goes on in it, begins a new run in it, or is refused.

`plan` decides that, and changes nothing. `claimed` carries it out once nothing else can be refused, and undoes it where
the new run ends before its first checkpoint: an older run that was moved aside is back then. A process that was killed
leaves a note in the folder, by which the next one undoes it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError, clipped, one_line
from curate.pipeline.core.files import disk_error, write_text
from curate.pipeline.core.progress import Progress
from curate.train.engine import checkpoint
from curate.train.runs.config import CHANGEABLE, IDENTITY, from_dict
from curate.train.runs.run_dir import RunDir
from curate.train.runs.stored import StoredCheckpoint

OnChange = Literal["refuse", "fresh-if-changed", "fresh"]

UNDO = ".undo.json"
"""In a new run's folder until its first checkpoint: which folder it has moved aside, and the step that it begins at."""


@dataclass(frozen=True)
class Claim:
    """What becomes of a run's folder."""

    start: int  # steps that are done already
    config_json: Mapping[str, Any]  # what config.json will hold
    finished: bool = False  # nothing is left to do
    new: bool = False  # a run that begins; what lies in the folder is moved aside
    note: str = ""  # what a person should know of it
    parent: Path | None = None  # the checkpoint that a new run goes on from


def plan(
    run_dir: RunDir,
    config_json: Mapping[str, Any],
    on_change: OnChange = "refuse",
    branch_of: StoredCheckpoint | None = None,
) -> Claim:
    """What the run that `config_json` describes may do in `run_dir`, a branch of `branch_of` or not.

    A run of the same config goes on, also towards more steps, and with other values of CHANGEABLE keys, which its
    config.json then tells under "changes". Another one is refused with what differs, or will be moved aside to PATH.1,
    PATH.2, ... as `on_change` says. Raises UsageError.
    """
    new = _new(config_json, branch_of)
    path = run_dir.path
    if not path.is_dir() or not any(path.iterdir()):
        return new
    trained = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
    if on_change == "fresh":
        if not (run_dir.is_run or trained):
            run_dir.read()  # only a run is moved: this says so
        return new
    old = run_dir.read()
    if branch_of is not None and not _same_origin(old.get("branch"), new.config_json["branch"]):
        raise UsageError(
            f"{path}: holds a run that is no branch of {branch_of.source}",
            "a branch goes into a folder of its own: --run FOLDER",
        )
    kept: dict[str, Any] = {**config_json, **{key: old[key] for key in ("branch", "changes") if key in old}}
    if not trained:
        return Claim(0, kept)
    changes, steps = differences(old, config_json), config_json["run"]["steps"]
    shown = [f"    {clipped(key)}: {_show(before)} -> {_show(after)}" for key, (before, after) in changes.items()]
    if trained > steps:
        shown.append(f"    run.steps: {trained} are done -> {steps}")
    if shown and on_change == "fresh-if-changed":
        return Claim(0, new.config_json, new=True, note=":\n" + "\n".join(shown), parent=new.parent)
    if trained > steps or changes.keys() - CHANGEABLE or (changes and trained == steps):
        raise _refused(path, shown, trained, steps)
    if not changes:
        return Claim(trained, kept, finished=trained == steps)
    recorded = [*old.get("changes", []), {"step": trained, **changes}]
    note = "\n".join([f"{path}: from step {trained} on:", *shown])
    return Claim(trained, {**kept, "changes": recorded}, note=note)


@contextmanager
def claimed(run_dir: RunDir, claim: Claim, progress: Progress) -> Iterator[str]:
    """Within the block the folder is that of the run of `claim`. Yields what became of an older one.

    Where the block ends before a new run's first checkpoint, all is as it was before, but for a first run, whose
    folder stays. Raises CurateError for a disk that refuses.
    """
    config = json.dumps(claim.config_json, indent=2, ensure_ascii=False) + "\n"
    if claim.new:
        moved = _begin(run_dir.path, claim, config)
        note = f"the old run is now {moved}{claim.note}" if moved else claim.note
    else:
        write_text(run_dir.config_file, config)
        note = claim.note
    if note:
        progress.note(note)
    try:
        yield note
    finally:
        if undone := settle(run_dir):
            progress.note(undone)


def settle(run_dir: RunDir) -> str:
    """Undoes a new run that ended before its first checkpoint, and says so; "" where there was nothing to undo."""
    path, staged = run_dir.path, _staged(run_dir.path)
    try:
        if not path.exists() and (staged / UNDO).is_file():  # killed between two renames
            staged.rename(path)
        shutil.rmtree(staged, ignore_errors=True)
        if not (path / UNDO).is_file():
            return ""
        old, start = _begun(path)
        if next(reversed(checkpoint.steps(run_dir.checkpoints)), 0) > start:
            (path / UNDO).unlink()
            return ""
        shutil.rmtree(path)
        if old is None or not old.is_dir():
            return f"{path}: ended before its first checkpoint: removed"
        old.rename(path)
    except OSError as error:
        raise disk_error(path, error) from error
    return f"{path}: the new run ended before its first checkpoint: the old one is back"


def _begun(path: Path) -> tuple[Path | None, int]:
    """What the note UNDO says. Raises UsageError for one that `_begin` did not write: by it a folder is moved."""
    try:
        begun = from_json((path / UNDO).read_text("utf-8"))
        moved, start = begun["moved"], int(begun["start"])
        if moved and not re.fullmatch(re.escape(path.name) + r"\.[0-9]+", moved):
            raise ValueError("names another folder")
    except (ArithmeticError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path / UNDO}: broken: {one_line(error)}", "delete it") from None
    return path.with_name(moved) if moved else None, start


def _new(config_json: Mapping[str, Any], branch_of: StoredCheckpoint | None) -> Claim:
    if branch_of is None:
        return Claim(0, config_json, new=True)
    start, changes = int(branch_of.path.stem), differences(branch_of.config_json, config_json)
    origin = {"run": branch_of.path.parent.parent.name, "step": start, "changes": changes}
    if config_json["run"]["steps"] <= start:
        raise UsageError(
            f"{branch_of.source}: {start} steps are done, the branch would have {config_json['run']['steps']} in all",
            f"say how many it shall have: --steps {2 * start}",
        )
    return Claim(start, {**config_json, "branch": origin}, new=True, parent=branch_of.path)


def _same_origin(one: Any, other: Mapping[str, Any]) -> bool:
    return isinstance(one, Mapping) and all(one.get(key) == other[key] for key in ("run", "step"))


def _begin(path: Path, claim: Claim, config: str) -> Path | None:
    """Puts a new run's folder in place of `path`, and returns where what lay there is now."""
    moved, staged = _free(path) if path.is_dir() and any(path.iterdir()) else None, _staged(path)
    try:
        staged.mkdir(parents=True)
        write_text(staged / "config.json", config)
        if moved or claim.parent:
            write_text(staged / UNDO, json.dumps({"moved": moved.name if moved else "", "start": claim.start}))
        if claim.parent:
            (staged / "checkpoints").mkdir()
            shutil.copyfile(claim.parent, staged / "checkpoints" / claim.parent.name)
            previews = claim.parent.parent.parent / "samples" / "previews.safetensors"
            if previews.is_file():
                (staged / "samples").mkdir()
                shutil.copyfile(previews, staged / "samples" / previews.name)
        if moved:
            path.rename(moved)
        staged.rename(path)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise disk_error(path, error) from error
    return moved


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _free(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return target


def _refused(path: Path, shown: list[str], trained: int, steps: int) -> UsageError:
    ways = ["put them back to go on with it", "train anew with --fresh, which keeps it beside the new one"]
    among_runs = path.parts[-3:-1] == ("processed", "runs")  # its name is enough then, whatever the root
    branch = f"--branch {path.name if among_runs else path.resolve()}@{trained}"
    if steps > trained:
        ways.append(f"or go on in a new folder: {branch}")
    elif steps == trained:
        ways.append(f"or go on in a new folder: {branch} --steps {2 * trained}")
    return UsageError("\n".join([f"{path}: holds a run with other settings:", *shown]), "; ".join(ways))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What would make the run of `new` another one than `old`'s: before and after, by key; empty for the same."""
    before, after = _identity(_filled(old)), _identity(new)
    keys = sorted(before.keys() | after.keys())
    return {key: [before.get(key), after.get(key)] for key in keys if before.get(key) != after.get(key)}


def images_per_step(config_json: Mapping[str, Any]) -> int:
    """How many images of each domain one step of the run of `config_json` sees, in all its processes."""
    run = config_json["run"]
    return int(run["batch"] * run.get("accumulate", 1) * config_json.get("processes", 1))


def _filled(config_json: Mapping[str, Any]) -> Mapping[str, Any]:
    """`config_json` with the defaults of keys that came after it was written."""
    try:
        return {**config_json, **from_dict(config_json).as_dict()}
    except UsageError:  # a key that is no more: it will show among the differences
        return config_json


def _identity(config_json: Mapping[str, Any]) -> dict[str, Any]:
    run = {key: config_json["run"].get(key) for key in IDENTITY}
    run["batch * accumulate * processes"] = images_per_step(config_json)
    parts = {key: config_json[key] for key in ("recipe", "data", "model", "dataset")}
    return dict(_flat({**parts, "run": run}))


def _flat(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [(key, value)]
    return [leaf for name, inner in value.items() for leaf in _flat(inner, f"{key}.{name}" if key else name)]


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 40 else f"{text[:12]}...{text[-1]}"
