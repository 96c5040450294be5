"""The safetensors file in which networks are handed on: what `curate weights import` writes, and what comes along."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from curate.pipeline.core.config import as_dict, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan, files_of
from curate.train.engine import checkpoint, safetensors_file
from curate.train.networks.shapes import shapes_only
from curate.train.recipes import RECIPES
from curate.train.runs.factory import check_bounds
from curate.train.runs.photo_networks import PhotoRules
from curate.train.weights import files
from curate.train.weights.format import ImportedNetworks, StateDict, fitted
from curate.train.weights.own import average_of


def without_discriminators(imported: ImportedNetworks) -> ImportedNetworks:
    """What pictures are made with: the generators alone, each by its moving average where that is known.

    Raises UsageError where there is none.
    """
    networks = imported.networks
    averages = {role: name for role in networks if (name := average_of(role)) in networks}
    kept = {role: networks[averages.get(role, role)] for role in networks if role not in averages.values()}
    generators = {
        role: {key.removeprefix("network."): value for key, value in state.items()}
        for role, state in kept.items()
        if role in imported.generators
    }
    if not generators:
        raise UsageError(f"no generator among {', '.join(networks)}", "name the file that has it, too")
    return replace(imported, networks=generators)


def save(
    imported: ImportedNetworks, path: Path, *, half: bool = False, sources: Iterable[Path] = (), force: bool = False
) -> Path:
    """Writes the networks as one safetensors file, which `read` reads again; with `half` as 16-bit numbers.

    Raises UsageError for a path that ends otherwise, that is one of `sources` or, without `force`, anybody else's file.
    """
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: what is written is safetensors", f"name it {path.with_suffix('.safetensors')}")
    header = {
        "system": imported.system,
        "config": as_dict(imported.config),
        "side": imported.side,
        "step": imported.step,
        "notes": imported.notes,
        "photos": imported.photos.as_dict() if imported.photos else None,
        "versions": checkpoint.versions(),
    }
    tensors = {
        f"{role}/{key}": value.half() if half and value.is_floating_point() else value
        for role, state in imported.networks.items()
        for key, value in state.items()
    }
    with OutputPlan([path], files_of(sources), force=force) as plan, plan.write(path) as temporary:
        safetensors_file.write(temporary, tensors, {files.HEADER: json.dumps(header, sort_keys=True)})
    return path


def read(path: Path, header: Mapping[str, Any]) -> ImportedNetworks:
    """The networks in a file that `save` wrote, of which `header` is files.header, checked like any other's.

    Raises UsageError for a broken one.
    """
    name, told = str(header["system"]), header["config"]
    kind: Any = RECIPES.resolve(name)
    if not isinstance(told, dict):
        raise UsageError(f"{path}: broken: its header is not one of ours", files.AGAIN)
    config = parse(kind.Config, kind.Config.from_older(told), f"{path}, config")
    check_bounds(name, config, str(path))
    with shapes_only():
        networks = dict(kind(config).named_children())
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for full, value in files.read(path).items():
        role, _, key = str(full).rpartition("/")
        parts.setdefault(role, {})[key] = value
    if strange := parts.keys() - networks.keys():
        raise UsageError(f"{path}: broken: {name} has no network '{min(strange)}'", files.AGAIN)
    states = {
        role: fitted(StateDict(role, f"{path}, {role}", state), networks[role], str, "by its config")
        for role, state in parts.items()
    }
    notes, step = tuple(map(str, header["notes"])), header.get("step")
    step = step if isinstance(step, int) else None
    return ImportedNetworks(name, config, states, header["side"], notes, step=step, photos=_saved_photos(path, header))


def _saved_photos(path: Path, header: Mapping[str, Any]) -> PhotoRules | None:
    if (told := header.get("photos")) is None:
        return None
    try:
        return PhotoRules.from_dict(told)
    except (UsageError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path}: broken: its header is not one of ours", files.AGAIN) from None
