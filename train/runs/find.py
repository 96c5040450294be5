"""Which of a root's runs is meant, where nobody names one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from curate.pipeline.core.confined_path import ConfinementError
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import entries
from curate.train.engine import checkpoint
from curate.train.recipes import RECIPES
from curate.train.runs.config import from_dict
from curate.train.runs.run_dir import RunDir

_ASIDE = re.compile(r"\.\d+$")  # a run that was moved out of the way


def find_run(folder: Path, *, try_on: bool | None = None) -> tuple[Path, list[Path]]:
    """The run below `folder` that translates, and those that might have been meant, too.

    It is the only one that has a checkpoint; of several, the one that is called as its recipe's command would call it.
    `try_on` asks for one that puts articles on people, or for none of those. Raises UsageError without a run, and for
    several without such a name.
    """
    known = {path: "human" in keys for path, keys in _keys(folder).items()}
    fitting = [path for path, kind in known.items() if try_on in (None, kind)] or list(known)
    if not fitting:
        raise UsageError(
            f"{folder}: no trained run is here", f"train one: curate train {'cagan' if try_on else 'cyclegan'}"
        )
    named = [folder / name for name in (("cagan",) if try_on else ("cyclegan", "cagan"))]
    chosen = fitting[0] if len(fitting) == 1 else next((path for path in named if path in fitting), None)
    if chosen is None:
        names = ", ".join(path.name for path in fitting)
        raise UsageError(f"{folder}: {len(fitting)} runs are here: {names}", f"name one: --run {fitting[0]}")
    return chosen, [path for path in fitting if path != chosen]


def run_folders(folder: Path) -> list[Path]:
    """The runs in `folder`, by name, without those that were moved out of the way."""
    there = [path for path in entries(folder) if not path.name.startswith(".") and not _ASIDE.search(path.name)]
    return [path for path in there if (path / "config.json").exists()]


def translating_runs(folder: Path) -> list[Path]:
    """The runs in `folder` that make photos of photos, by name. Raises UsageError where there are none."""
    found = [path for path, keys in _keys(folder).items() if keys & {"b", "human"}]
    if not found:
        raise UsageError(f"{folder}: no run that translates photos is here", "train one: curate train cyclegan")
    return found


def _keys(folder: Path) -> dict[Path, frozenset[str]]:
    """What the batches hold of each run in `folder` that has a checkpoint."""
    return {path: keys for path in run_folders(folder) if (keys := _keys_of(path)) is not None}


def _keys_of(path: Path) -> frozenset[str] | None:
    """None for what can't be used."""
    try:
        if checkpoint.newest(RunDir(path).checkpoints) is None:
            return None
        config = from_dict(RunDir(path).read())
        model: Any = config.model
        return frozenset(RECIPES.resolve(config.recipe).keys(model))
    except (UsageError, ConfinementError):
        return None
