"""A run's folder: what lies where in it, and its lock.

config.json            the run's config, its dataset and crop rules: what the run is
checkpoints/           the state, by step
best/                  the networks that a metric found best, by metric and step
samples/               grids of held-out images, by step, and latest.png; history.png, .gif, from the first to the last
scalars.jsonl, .tsv    losses and learning rate, by step; the same numbers, the second for dvc plots
tensorboard/           the same numbers for TensorBoard
health.txt             what is wrong with it, in words
metrics.json           how it ended
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from curate.pipeline.core.at_work import claim
from curate.pipeline.core.confined_path import refuse_links_out
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError, one_line
from curate.pipeline.core.files import NOT_THERE, reading
from curate.train.recipes import RECIPES, model_section


class _Run(msgspec.Struct):
    """Of its group run what is counted with."""

    batch: Annotated[int, msgspec.Meta(ge=1)]
    accumulate: Annotated[int, msgspec.Meta(ge=1)] = 1


class _Config(msgspec.Struct):
    """What kind of value each part of a run's config is; `config.from_dict` reads data, run and model strictly."""

    recipe: str
    data: dict[str, Any]
    run: _Run
    model: dict[str, Any]
    dataset: dict[str, dict[str, Any]]
    crop: dict[str, dict[str, Any]]
    letterbox: dict[str, Any] = {}
    branch: dict[str, Any] = {}
    changes: list[dict[str, Any]] = []
    processes: Annotated[int, msgspec.Meta(ge=1)] = 1


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
            return self.checkpoints.is_dir() or _is_config(from_json(self.config_file.read_bytes()))
        except (ValueError, OSError):
            return True  # broken, or not readable: `read` says so

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other process trains here within the block. Raises UsageError when one does already, and ConfinementError
        for a link that leads out of the folder: nothing is written through it.

        The lock lies beside the folder, which may be moved aside, and ends with the process, however it ends.
        """
        with claim(self.path.with_name(f".{self.path.name}.lock"), str(self.path)):
            self._refuse_links_out()
            yield

    def read(self) -> dict[str, Any]:
        """What config.json holds, an older one's keys under today's names.

        Raises UsageError where no run lies, ConfinementError where a link leads out of its folder, and CurateError for
        one that can't be read.
        """
        self._refuse_links_out()
        try:
            with reading(self.config_file):
                config_json = known_config(from_json(self.config_file.read_text("utf-8")))
        except NOT_THERE:
            recipe = self.path.name if self.path.name in RECIPES else "cyclegan"
            raise UsageError(
                f"{self.path}: not a run folder: it has no config.json", f"train one first: curate train {recipe}"
            ) from None
        except (ValueError, AttributeError) as error:
            raise UsageError(f"{self.config_file}: broken: {one_line(error)}", "train anew with --fresh") from None
        return config_json

    def _refuse_links_out(self) -> None:
        """Out of the root where that is known: DVC may have put links there, into its cache below the root."""
        place = self.path.absolute()
        refuse_links_out(self.path, place.parents[2] if place.parts[-3:-1] == ("processed", "runs") else None)

    def clear_scraps(self) -> None:
        """Deletes what processes that were killed while they wrote have left: who claims the folder has its lock."""
        for folder in (self.path, self.checkpoints, self.best, self.samples, self.samples / "history"):
            for leftover in (*folder.glob(".*.tmp"), *folder.glob(".tmp*")):  # the second: older versions'
                leftover.unlink(missing_ok=True)


def known_config(config_json: Any) -> dict[str, Any]:
    """`config_json` under today's keys. Raises ValueError for what is no run's config."""
    if not _is_config(config_json):
        raise ValueError("not a run's config")
    try:
        msgspec.convert(config_json, _Config)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a run's config: {error}") from None
    if config_json["recipe"] not in RECIPES:
        return dict(config_json)
    return {**config_json, "model": model_section(config_json["recipe"]).from_older(config_json["model"])}


def _is_config(config_json: Any) -> bool:
    parts = {"recipe", "data", "run", "model", "dataset", "crop"}
    return isinstance(config_json, dict) and parts <= config_json.keys() and isinstance(config_json["model"], dict)
