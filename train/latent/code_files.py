"""The w of one picture as a file, with all that is needed to make the picture again: noise maps, run, place in a photo.

NAME.safetensors holds w [1, num_ws, w_dim] and noise/BUFFER; what is known of it stands as JSON in the header. What is
read may also be a picture that `curate generate` made, or an .npz with w, as the official projector writes it.
"""

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
from curate.pipeline.core.errors import UsageError, one_line
from curate.pipeline.core.outputs import OutputPlan
from curate.train.engine import safetensors_file
from curate.train.latent import picture_set
from curate.train.latent.latent_run import LatentGenerator
from curate.train.latent.projection import NoiseMaps

HEADER = "curate-w"
_NOISE = "noise/"
_HINT = "name a file that curate project wrote, an .npz with w, or a picture of curate generate"


@dataclass(frozen=True)
class Codes:
    """One picture as its generator sees it."""

    name: str
    ws: Tensor  # [1, num_ws, w_dim]
    noise: NoiseMaps = field(default_factory=dict)  # none: the generator's own
    about: Mapping[str, Any] = field(default_factory=dict)  # run, weights, photo, affine, tuned ...


def write(path: Path, codes: Codes, plan: OutputPlan) -> None:
    """Writes `codes` as safetensors."""
    tensors = {"w": codes.ws.float().cpu()}
    tensors |= {f"{_NOISE}{name}": value.float().cpu() for name, value in codes.noise.items()}
    with plan.write(path) as temporary:
        safetensors_file.write(temporary, tensors, {HEADER: json.dumps(dict(codes.about), sort_keys=True)})


def read(path: Path) -> Codes:
    """The w in `path`. Raises UsageError for a file that has none, or several."""
    if path.suffix.lower() == ".npz":
        ws, noise, about = _npz(path), {}, {}
    elif path.suffix.lower() == ".png":
        return _of_picture(path)
    else:
        metadata, tensors = safetensors_file.read(path, _HINT)
        about = _about(metadata.get(HEADER, "{}"))
        noise = {name.removeprefix(_NOISE): value for name, value in tensors.items() if name.startswith(_NOISE)}
        ws = tensors.get("w")
    if ws is None or ws.ndim != 3 or len(ws) != 1 or not ws.is_floating_point() or not bool(ws.isfinite().all()):
        shape = "no w" if ws is None else f"w of shape {list(ws.shape)}"
        raise UsageError(f"{path}: {shape}, not [1, layers, w_dim]", _HINT)
    return Codes(path.stem, ws.float(), noise, about)


def check(codes: Codes, generator: LatentGenerator, where: str) -> None:
    """Raises UsageError for a w, or noise maps, that `generator`, of the run `where`, does not take."""
    if codes.ws.shape[1:] != (generator.num_ws, generator.w_dim):
        raise UsageError(
            f"{codes.name}: w for {codes.ws.shape[1]} layers of {codes.ws.shape[2]} numbers; {where} has "
            f"{generator.num_ws} of {generator.w_dim}",
            "--run names the run that it was found with",
        )
    sides = {name: value.shape[-1] for name, value in generator.synthesis.named_buffers() if name in codes.noise}
    if any(value.shape[-1] != sides.get(name) for name, value in codes.noise.items()):
        raise UsageError(f"{codes.name}: its noise maps are those of another generator than {where}'s", "another --run")


def _npz(path: Path) -> Tensor | None:
    safetensors_file.check_readable(path)
    try:
        with np.load(path, allow_pickle=False) as found:
            return torch.from_numpy(np.array(found["w"])) if "w" in found else None
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise UsageError(f"{path}: broken: {one_line(error)}", _HINT) from None


def _of_picture(path: Path) -> Codes:
    found = picture_set.find(path.parent)
    if found is None or path.name not in found.paths:
        raise UsageError(f"{path}: no picture of curate generate", "a photo's w is found by curate project")
    row = found.paths.index(path.name)
    return Codes(path.stem, found.codes()[row : row + 1], {}, dict(found.settings))


def _about(text: str) -> dict[str, Any]:
    try:
        found = from_json(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
