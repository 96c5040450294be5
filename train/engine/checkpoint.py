"""The whole state of a run in one file: safetensors, with JSON in its header. No pickle.

A checkpoint holds the recipe's state_dict, every optimiser's tensors, the losses summed since the last tick, the step,
the run's config.json and the versions that wrote it. It is written beside and renamed, so that whenever a process dies,
the last whole one stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor
from torch.optim import Optimizer

import curate
from curate.pipeline.core import documents
from curate.pipeline.core.errors import CurateError, UsageError, clipped, one_line
from curate.pipeline.core.files import entries
from curate.train.engine import safetensors_file
from curate.train.engine.contract import Recipe
from curate.train.engine.meter import Meter

FORMAT = 1

HEADER = "curate"
"""The metadata key that marks a checkpoint; its value is JSON."""

_OTHERS = "name another of the run: curate weights show RUN/checkpoints/FILE, RUN/best/FILE"
_GOES_ON = "delete it, and the same command goes on from the one before"


class _Header(msgspec.Struct):
    """What every header tells, and as what."""

    format: int
    step: Annotated[int, msgspec.Meta(ge=0)]
    meter: list[tuple[str, int]]
    config: dict[str, Any]


def versions() -> dict[str, str]:
    """What wrote a file: this project's version and torch's."""
    return {"curate": curate.__version__, "torch": torch.__version__}


@dataclass(frozen=True)
class CheckpointManager:
    """The checkpoints of one run, `folder`/00001234.safetensors by step; the newest `keep_last` stay."""

    folder: Path
    config_json: Mapping[str, Any] = field(default_factory=dict)  # what the run is, kept in each file's header
    keep_last: int = 2

    def save(self, step: int, recipe: Recipe, meter: Meter) -> Path:
        """Writes the state after `step` steps, whole or not at all, then drops the oldest. Raises CurateError."""
        sums, counts = meter.state()
        tensors = {f"model/{name}": value for name, value in recipe.state_dict().items()}
        tensors |= {f"meter/{name}": value for name, value in sums.items()}
        for name, optimizer in recipe.optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{name}/{index}/{key}": value for key, value in state.items()}
        order = list(counts.items())  # of the losses, which sorted JSON keys would lose
        path = self.folder / f"{step:08}.safetensors"
        saved = sorted({*steps(self.folder), step})  # before: a run that fails after its last one drops none any more
        _write(path, tensors, {"step": step, "meter": order, "config": self.config_json})
        for old in saved[: -self.keep_last]:
            (self.folder / f"{old:08}.safetensors").unlink(missing_ok=True)
        return path

    def restore(self, recipe: Recipe, meter: Meter) -> int:
        """Loads the newest checkpoint into `recipe` and `meter` and returns its step; 0 when there is none.

        Raises UsageError for a broken file and another network's, CurateError for one that can't be read.
        """
        path = newest(self.folder)
        if path is None:
            return 0
        header, tensors = read(path, _GOES_ON)
        _load_model(recipe, tensors, path)
        try:
            for name, optimizer in recipe.optimizers.items():
                _load_optimizer(optimizer, _without_prefix(tensors, f"optimizer/{name}/"))
            meter.restore(_without_prefix(tensors, "meter/"), dict(header["meter"]))
        except (ValueError, TypeError, LookupError, RuntimeError) as error:
            raise UsageError(f"{path}: broken: {one_line(error)}", _GOES_ON) from None
        return int(header["step"])


def save_weights(path: Path, step: int, recipe: Recipe, config_json: Mapping[str, Any], **notes: Any) -> None:
    """Writes only the networks after `step` steps, with `notes` in the header. `load_weights` reads it."""
    tensors = {f"model/{name}": value for name, value in recipe.state_dict().items()}
    _write(path, tensors, {"step": step, "meter": [], "config": config_json, **notes})


def _write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    header = {"format": FORMAT, "versions": versions(), **header}
    safetensors_file.write(path, tensors, {HEADER: json.dumps(header, sort_keys=True)})


def _load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, slot = key.partition("/")
        state.setdefault(int(index), {})[slot] = _in_layout_of(value, parameters[int(index)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _in_layout_of(value: Tensor, parameter: Tensor) -> Tensor:
    """An optimiser's `value` in memory as its `parameter` is: fused optimisers walk through both at once."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)


def steps(folder: Path) -> list[int]:
    """The steps of the checkpoints in `folder`, oldest first. Raises CurateError for a folder that can't be read."""
    return sorted(int(path.stem) for path in entries(folder) if re.fullmatch(r"\d{8,}\.safetensors", path.name))


def newest(folder: Path) -> Path | None:
    """The checkpoint with the most steps, or None."""
    done = steps(folder)
    return folder / f"{done[-1]:08}.safetensors" if done else None


def read(path: Path, hint: str = _OTHERS) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a checkpoint.

    Raises UsageError for a file that is not one, or is broken, with `hint`, and CurateError for one that this user may
    not read.
    """
    notes, tensors = safetensors_file.read(path, hint)
    return _header(path, notes), tensors


def read_header(path: Path) -> dict[str, Any]:
    """The header alone of a checkpoint. Raises like `read`, but does not look at the tensors."""
    return _header(path, safetensors_file.metadata(path, _OTHERS))


def _header(path: Path, notes: Mapping[str, str]) -> dict[str, Any]:
    try:
        header: dict[str, Any] = documents.from_json(notes[HEADER])
        known = msgspec.convert(header, _Header)
    except (KeyError, ValueError, msgspec.ValidationError):
        raise UsageError(
            f"{path}: not a checkpoint of curate", "name a run's folder, or a file of its checkpoints"
        ) from None
    if known.format != FORMAT:
        raise CurateError(
            f"{path}: checkpoint format {known.format}, this curate reads {FORMAT}",
            "train anew with --fresh, or use the curate that wrote it",
        )
    return header


def load_weights(recipe: Recipe, path: Path) -> int:
    """Loads only the networks of a checkpoint into `recipe` and returns its step.

    Raises like CheckpointManager.restore.
    """
    header, tensors = read(path)
    _load_model(recipe, tensors, path)
    return int(header["step"])


def _load_model(recipe: Recipe, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        recipe.load_state_dict(_without_prefix(tensors, "model/"))
    except (RuntimeError, ValueError, TypeError) as error:
        first = next((line for line in str(error).splitlines()[1:] if line.strip()), str(error))
        raise UsageError(
            f"{path}: does not fit {type(recipe).__name__} as it is configured: {clipped(first.strip())}",
            "put the settings back as they are in the run's config.json, or train anew with --fresh",
        ) from None


def _without_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
