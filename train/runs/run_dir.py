"""A run's folder: what lies where in it, whether a run may go on in it, and moving an old run out of the way.

config.json            settings, dataset, crop rules: what the run is
checkpoints/           the state, by step
best/                  the networks that a metric found best, by metric and step
samples/               grids of held-out images, by step, and latest.png; history.png, from the first to the last
scalars.jsonl, .tsv    losses and learning rate, by step; the same numbers, the second for dvc plots
tensorboard/           the same numbers for TensorBoard
health.txt             what is wrong with it, in words
metrics.json           how it ended
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write
from curate.train.engine import checkpoint
from curate.train.runs.config import IDENTITY, from_dict

OnChange = Literal["refuse", "fresh-if-changed", "fresh"]


@dataclass(frozen=True)
class RunDir:
    """The folder of one run."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        return self.path / "best"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def health(self) -> Path:
        return self.path / "health.txt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other process trains here within the block. Raises UsageError when one does already.

        The lock lies beside the folder, which may be moved aside, and ends with the process, however it ends.
        """
        path = self.path.with_name(f".{self.path.name}.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise UsageError(
                    f"{self.path}: process {file.read().strip() or 'of another machine'} is training here",
                    "wait for it, stop it with Ctrl-C, or train in another folder: --run FOLDER",
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def read(self) -> dict[str, Any]:
        """The run's config. Raises UsageError for a folder that holds no run."""
        try:
            config: dict[str, Any] = json.loads(self.config.read_text("utf-8"))
            if not {"recipe", "data", "run", "model", "dataset", "crop"} <= config.keys():
                raise ValueError("not a run's config")
        except FileNotFoundError:
            raise UsageError(
                f"{self.path}: not a run folder: it has no config.json", "train one first: curate train cyclegan"
            ) from None
        except (ValueError, AttributeError) as error:
            raise UsageError(f"{self.config}: broken: {error}", "train anew with --fresh") from None
        except OSError as error:
            raise CurateError(f"{self.config}: {error.strerror or error}") from error
        return config

    def claim(self, config: Mapping[str, Any], on_change: OnChange = "refuse") -> str:
        """Makes the folder the run's that `config` describes and returns a line about what became of the old one.

        A run of the same settings goes on, also towards more steps. Another one is refused with what differs, or
        moved aside to PATH.1, PATH.2, ... as `on_change` says. Raises UsageError.
        """
        note = ""
        if self.path.is_dir() and any(self.path.iterdir()):
            trained = checkpoint.steps(self.checkpoints)
            if on_change == "fresh":
                self.read()  # only a run is moved
                note = self._move_aside("")
            elif trained and (changes := differences(self.read(), config, trained[-1])):
                if on_change == "refuse":
                    raise UsageError(
                        f"{self.path}: holds a run with other settings:\n{changes}",
                        "put them back to go on with it; or train anew with --fresh, which keeps it beside the new one",
                    )
                note = self._move_aside(f":\n{changes}")
            elif not trained:
                self.read()
            elif trained[-1] == config["run"]["steps"]:
                return note  # finished: what made it stays on record
            for leftover in self.path.rglob(".*.tmp"):  # of a process that was killed while it wrote
                leftover.unlink(missing_ok=True)
        with atomic_write(self.config) as temporary:
            temporary.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return note

    def _move_aside(self, why: str) -> str:
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        self.path.rename(target)
        return f"the old run is now {target}{why}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any], trained: int) -> str:
    """What would make the run of `new` another one than `old`'s, a line per key; empty when it may go on."""
    before, after = _identity(_filled(old)), _identity(new)
    lines = [
        f"    {key}: {_show(before.get(key))} -> {_show(after.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    if trained > (wanted := new["run"]["steps"]):
        lines.append(f"    run.steps: {trained} are done -> {wanted}")
    return "\n".join(lines)


def images_per_step(config: Mapping[str, Any]) -> int:
    """How many images of each domain one step of the run of `config` sees, in all its processes."""
    run = config["run"]
    return int(run["batch"] * run.get("accumulate", 1) * config.get("processes", 1))


def _filled(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """`config` with the defaults of keys that came after it was written."""
    try:
        return {**config, **from_dict(config).as_dict()}
    except UsageError:  # a key that is no more: it will show among the differences
        return config


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    run = {key: config["run"].get(key) for key in IDENTITY}
    run["batch * accumulate * processes"] = images_per_step(config)
    parts = {key: config[key] for key in ("recipe", "data", "model", "dataset")}
    return dict(_flat({**parts, "run": run}))


def _flat(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return [(key, value)]
    return [leaf for name, inner in value.items() for leaf in _flat(inner, f"{key}.{name}" if key else name)]


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 40 else f"{text[:12]}...{text[-1]}"
