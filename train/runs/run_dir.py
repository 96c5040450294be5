"""A run's folder: what lies where in it, whether a run may go on in it, and moving an old run out of the way.

config.json            the run's config, its dataset and crop rules: what the run is
checkpoints/           the state, by step
best/                  the networks that a metric found best, by metric and step
samples/               grids of held-out images, by step, and latest.png; history.png, from the first to the last
scalars.jsonl, .tsv    losses and learning rate, by step; the same numbers, the second for dvc plots
tensorboard/           the same numbers for TensorBoard
health.txt             what is wrong with it, in words
metrics.json           how it ended
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.locks import exclusive_lock
from curate.train.engine import checkpoint
from curate.train.recipes import RECIPES, model_section
from curate.train.runs.config import IDENTITY, from_dict

OnChange = Literal["refuse", "fresh-if-changed", "fresh"]


@dataclass(frozen=True)
class RunDir:
    """The folder of one run."""

    path: Path

    @property
    def config_file(self) -> Path:
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
    def diagnostics_file(self) -> Path:
        return self.path / "health.txt"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def is_run(self) -> bool:
        """Whether a run lies here: other projects' folders have a config.json of their own."""
        if not self.config_file.is_file():
            return False
        try:
            return self.checkpoints.is_dir() or _is_config(json.loads(self.config_file.read_bytes()))
        except (ValueError, OSError):
            return True  # broken, or not readable: `read` says so

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other process trains here within the block. Raises UsageError when one does already.

        The lock lies beside the folder, which may be moved aside, and ends with the process, however it ends.
        """

        def taken(owner: str) -> UsageError:
            return UsageError(
                f"{self.path}: process {owner or 'unknown'} is training here",
                "wait for it, stop it with Ctrl-C, or train in another folder: --run FOLDER",
            )

        with exclusive_lock(self.path.with_name(f".{self.path.name}.lock"), taken):
            yield

    def read(self) -> dict[str, Any]:
        """What config.json holds, an older one's keys under today's names. Raises UsageError where no run lies."""
        try:
            config_json = known_config(json.loads(self.config_file.read_text("utf-8")))
        except FileNotFoundError:
            raise UsageError(
                f"{self.path}: not a run folder: it has no config.json", "train one first: curate train cyclegan"
            ) from None
        except (ValueError, AttributeError) as error:
            raise UsageError(f"{self.config_file}: broken: {error}", "train anew with --fresh") from None
        except OSError as error:
            raise CurateError(f"{self.config_file}: {error.strerror or error}") from error
        return config_json

    def claim(self, config_json: Mapping[str, Any], on_change: OnChange = "refuse") -> str:
        """Makes the folder the run's that `config_json` describes and returns a line about what became of the old one.

        A run of the same config goes on, also towards more steps. Another one is refused with what differs, or
        moved aside to PATH.1, PATH.2, ... as `on_change` says. Raises UsageError.
        """
        note = ""
        if self.config_file.is_file():
            self._clear_scraps()
        if self.path.is_dir() and any(self.path.iterdir()):
            trained = checkpoint.steps(self.checkpoints)
            if on_change == "fresh":
                self.read()  # only a run is moved
                note = self._move_aside("")
            elif trained and (changes := differences(self.read(), config_json, trained[-1])):
                if on_change == "refuse":
                    raise UsageError(
                        f"{self.path}: holds a run with other settings:\n{changes}",
                        "put them back to go on with it; or train anew with --fresh, which keeps it beside the new one",
                    )
                note = self._move_aside(f":\n{changes}")
            elif not trained:
                self.read()
            elif trained[-1] == config_json["run"]["steps"]:
                return note  # finished: what made it stays on record
        with atomic_write(self.config_file) as temporary:
            temporary.write_text(json.dumps(config_json, indent=2, ensure_ascii=False) + "\n", "utf-8")
        return note

    def _clear_scraps(self) -> None:
        """Deletes what processes that were killed while they wrote have left: who claims the folder has its lock."""
        for folder in (self.path, self.checkpoints, self.best, self.samples, self.samples / "history"):
            for leftover in (*folder.glob(".*.tmp"), *folder.glob(".tmp*")):  # the second: older versions'
                leftover.unlink(missing_ok=True)

    def _move_aside(self, why: str) -> str:
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        self.path.rename(target)
        return f"the old run is now {target}{why}"


def known_config(config_json: Any) -> dict[str, Any]:
    """`config_json` under today's keys. Raises ValueError for what is no run's config."""
    if not _is_config(config_json):
        raise ValueError("not a run's config")
    if config_json["recipe"] not in RECIPES:
        return dict(config_json)
    return {**config_json, "model": model_section(config_json["recipe"]).from_older(config_json["model"])}


def _is_config(config_json: Any) -> bool:
    parts = {"recipe", "data", "run", "model", "dataset", "crop"}
    return isinstance(config_json, dict) and parts <= config_json.keys() and isinstance(config_json["model"], dict)


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
