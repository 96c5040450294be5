"""A direction as a file: safetensors with the vector, and what is known of it as JSON, in its header and beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.core.files import entries
from curate.pipeline.core.outputs import OutputPlan
from curate.train.engine import safetensors_file
from curate.train.latent.directions import Floats

SUFFIX = ".safetensors"
HEADER = "curate-direction"
BANDS = {"coarse": (0, 3), "mid": (4, 7), "fine": (8, None)}  # layers, as the StyleGAN papers' figures group them


@dataclass(frozen=True)
class Direction:
    """A unit vector in the space of w: w + amount * step * vector, on its layers, has more of what it stands for."""

    name: str
    vector: Floats  # [w_dim]
    step: float  # the standard deviation of the set's w's along it
    layers: tuple[int, int]  # the first and the last that it is added to
    about: Mapping[str, Any] = field(default_factory=dict)  # method, label, accuracy, run, weights, correlations ...

    def added(self, ws: Tensor, amount: float) -> Tensor:
        """ws [N, num_ws, w_dim] with `amount` steps of it."""
        first, last = self.layers
        moved = ws.clone()
        way = torch.from_numpy(amount * self.step * self.vector).to(ws)
        moved[:, first : last + 1] += way
        return moved

    def check(self, w_dim: int, num_ws: int, where: str) -> None:
        """Raises UsageError where it does not fit w's of that shape, which are those of `where`."""
        if len(self.vector) != w_dim or self.layers[1] >= num_ws:
            raise UsageError(
                f"direction {self.name}: for w's of {len(self.vector)} numbers and layers up to {self.layers[1]}; "
                f"{where} has {w_dim} and layers up to {num_ws - 1}",
                "find it among this run's pictures: curate generate, curate label, curate direction",
            )


def write(direction: Direction, folder: Path, plan: OutputPlan) -> Path:
    """Writes NAME.safetensors and NAME.json into `folder`, and returns the first."""
    said = {"step": direction.step, "layers": list(direction.layers), **direction.about}
    path = folder / f"{direction.name}{SUFFIX}"
    vector = torch.from_numpy(np.asarray(direction.vector, np.float32))
    with plan.write(path) as temporary:
        safetensors_file.write(temporary, {"direction": vector}, {HEADER: json.dumps(said, sort_keys=True)})
    with plan.write(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"name": direction.name, **said}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def read(word: str, folder: Path) -> Direction:
    """The direction in the file `word`, or of that name in `folder`. Raises UsageError for one that is not there."""
    path = Path(word)
    if not path.is_file():
        path = folder / f"{word}{SUFFIX}"
    if not path.is_file():
        known = names(folder)
        raise UsageError(
            f"{word}: no file, and no direction of that name in {folder}{nearest(word, known)}",
            f"there are {', '.join(known)}" if known else "find one: curate direction generated --label smile",
        )
    metadata, tensors = safetensors_file.read(path, "find it anew: curate direction")
    vector = tensors.get("direction")
    try:
        said = from_json(metadata[HEADER])
        first, last = (int(layer) for layer in said.pop("layers"))
        step = float(said.pop("step"))
    except (KeyError, ValueError, TypeError):
        vector = None
    if vector is None or vector.ndim != 1 or not bool(vector.isfinite().all()):
        raise UsageError(f"{path}: holds no direction", "name a file that curate direction wrote")
    return Direction(path.stem, vector.double().numpy(), step, (first, last), said)


def names(folder: Path) -> list[str]:
    """What the directions in `folder` are called; none where there is no such folder."""
    return sorted(path.stem for path in entries(folder) if path.name.endswith(SUFFIX))


def parse_layers(text: str | None, num_ws: int) -> tuple[int, int]:
    """0-7, 4, coarse, mid or fine as the first and the last layer; all without a `text`. Raises UsageError."""
    if text is None:
        return 0, num_ws - 1
    hint = f"--layers 0-{num_ws - 1} are all; or {', '.join(BANDS)}"
    if text in BANDS:
        low, high = BANDS[text]
        last = num_ws - 1 if high is None else min(high, num_ws - 1)
    else:
        begin, dash, end = text.partition("-")
        ends = (begin, end if dash else begin)
        if not all(part.isascii() and part.isdigit() for part in ends):
            raise UsageError(f"--layers {text}: no layer and no range", hint)
        low, last = (int(part) for part in ends)
    if not low <= last < num_ws:
        raise UsageError(f"--layers {text}: there are 0 to {num_ws - 1}", hint)
    return low, last
