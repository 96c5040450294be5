"""Reading and writing other projects' checkpoints, safely.

A system is a recipe whose networks other projects have trained, too. Its module, one row of `SYSTEMS`, knows their
files: which networks lie in them, under what names, and what their shapes say about the config. No file is ever
executed. `read` also takes the files that `save` writes, which hold the same in one safetensors file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from curate.pipeline.core.config import as_dict, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan, files_of
from curate.pipeline.core.registry import Registry
from curate.pipeline.faces.config import CropRules
from curate.train.data.config import DataConfig
from curate.train.engine import checkpoint, safetensors_file
from curate.train.engine.contract import Recipe
from curate.train.engine.precision import select_device
from curate.train.recipes import RECIPES
from curate.train.runs.config import from_dict
from curate.train.runs.run_dir import RunDir
from curate.train.runs.trained import Trained
from curate.train.weights import files
from curate.train.weights.format import CheckpointFormat, Direction, ImportedNetworks, StateDict, fitted, placed

SYSTEMS = Registry(
    "system",
    {
        "cyclegan": "curate.train.weights.cyclegan:SYSTEM",
        "ugatit": "curate.train.weights.ugatit:SYSTEM",
        "cagan": "curate.train.weights.cagan:SYSTEM",
    },
)


@dataclass(frozen=True)
class CheckpointListing:
    """One state dict of a file, as `show` lists it."""

    where: str
    system: str | None  # None: not one that we know
    parameters: int
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]  # type and shape by name


def read(paths: Path | Iterable[Path], system: str | None = None, direction: Direction = "a2b") -> ImportedNetworks:
    """The networks in one file, in several that belong together, or in the files of a folder.

    `system` None is recognised by names and shapes. A single generator whose file name says nothing is `direction`'s.
    Raises UsageError for files that would have to be executed, are broken, or do not fit, with what is wrong in them.
    """
    opened = _expand_folders([paths] if isinstance(paths, Path) else list(paths))
    if system is not None:
        SYSTEMS[system]
    if len(opened) == 1 and (header := files.header(opened[0])):
        return _read_saved(opened[0], header, system)
    found = [part for path in opened for part in files.state_dicts(path)]
    guess = _recognise(found)
    if system is None and guess is None:
        raise UsageError(
            f"{opened[0]}: not the networks of a system that we know",
            f"systems: {', '.join(SYSTEMS)}; see what is in it: curate weights show {opened[0]}",
        )
    if system is not None and guess not in (system, None):
        raise UsageError(f"{opened[0]}: holds networks of {guess}, not of {system}", f"use --system {guess}")
    imported: ImportedNetworks = _system(system or str(guess)).read(found, direction)
    return imported


def read_run(folder: Path) -> ImportedNetworks:
    """The networks in the newest checkpoint of a run, generators by their moving average where it keeps one.

    Raises UsageError for a folder without a checkpoint.
    """
    run_dir = RunDir(folder)
    config = from_dict(run_dir.read())
    newest = checkpoint.newest(run_dir.checkpoints)
    if newest is None:
        raise UsageError(f"{folder}: no checkpoint yet", f"train it: curate train {config.recipe}")
    known = _system(config.recipe).networks
    networks: dict[str, dict[str, torch.Tensor]] = {}
    averages: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in checkpoint.read(newest)[1].items():
        role, _, key = name.removeprefix("model/").partition(".")
        if role.startswith("average"):  # what the run itself renders with
            followed = f"g_{role.removeprefix('average_')}" if role != "average" else "generator"
            averages.setdefault(followed, {})[key.removeprefix("network.")] = value
        elif name.startswith("model/") and role in known:
            networks.setdefault(role, {})[key] = value
    networks |= averages
    return ImportedNetworks(config.recipe, config.model, networks, config.data.size)


def write(
    imported: ImportedNetworks,
    folder: Path,
    layout: str | None = None,
    *,
    generators_only: bool = False,
    sources: Iterable[Path] = (),
    force: bool = False,
) -> list[Path]:
    """Writes the files that the other project reads, in `layout` or the system's first; every value stays bit for bit.

    Raises UsageError for an unknown layout, for networks that it wants and that are missing, and for a file that is one
    of `sources` or, without `force`, anybody else's.
    """
    system = _system(imported.system)
    if layout is not None and layout not in system.layouts:
        raise UsageError(f"{imported.system} has no layout '{layout}'", f"layouts: {', '.join(system.layouts)}")
    if generators_only:
        generators = {role: state for role, state in imported.networks.items() if not role.startswith("d")}
        imported = replace(imported, networks=generators)
    made = {folder / name: content for name, content in system.files(imported, layout or system.layouts[0]).items()}
    with OutputPlan(made, files_of(sources), force=force) as plan:
        for path, content in made.items():
            with plan.write(path) as temporary:
                files.write(content, temporary, path.suffix)
    return list(made)


def save(imported: ImportedNetworks, path: Path, *, sources: Iterable[Path] = (), force: bool = False) -> Path:
    """Writes the networks as one safetensors file, which `read` reads again.

    Raises UsageError for a path that ends otherwise, that is one of `sources` or, without `force`, anybody else's file.
    """
    if path.suffix != ".safetensors":
        raise UsageError(f"{path}: what is written is safetensors", f"name it {path.with_suffix('.safetensors')}")
    header = {
        "system": imported.system,
        "config": as_dict(imported.config),
        "side": imported.side,
        "notes": imported.notes,
        "versions": checkpoint.versions(),
    }
    tensors = {f"{role}/{key}": value for role, state in imported.networks.items() for key, value in state.items()}
    with OutputPlan([path], files_of(sources), force=force) as plan, plan.write(path) as temporary:
        safetensors_file.write(temporary, tensors, {files.HEADER: json.dumps(header, sort_keys=True)})
    return path


def build(imported: ImportedNetworks) -> Recipe:
    """The recipe with the imported networks; the others keep their first weights."""
    recipe: Any = RECIPES.resolve(imported.system)(imported.config)
    for role, state in imported.networks.items():
        getattr(recipe, role).load_state_dict(state)
    built: Recipe = recipe
    return built


def trained(imported: ImportedNetworks, source: str, *, size: int | None = None, device: str = "auto") -> Trained:
    """The imported generators, ready to translate; `source` says to a person where they come from.

    `size` is the px that photos are made, where the networks take any. Photos are cut like the data half cuts faces by
    default. Raises UsageError for another size than a network's only one.
    """
    if imported.side and size not in (None, imported.side):
        raise UsageError(f"{source}: takes images of {imported.side} px alone", f"leave --size {size} out")
    recipe: Any = build(imported)
    side = size or imported.side
    keys = frozenset(recipe.keys(imported.config))
    if "human" in keys:
        side = side or DataConfig().size
    rules = CropRules(size=side) if side else CropRules()
    directions = tuple(direction for direction in get_args(Direction) if f"g_{direction}" in imported.networks)
    return Trained(
        recipe=recipe.to(select_device(device)),
        source=source,
        step=None,
        side=side,
        domains={"a": "a", "b": "b"},
        rules=dict.fromkeys("ab", rules),
        directions=directions,
        keys=keys,
    )


def show(path: Path) -> list[CheckpointListing]:
    """What lies in a file, network by network, whether or not a system knows it. Raises UsageError like `read`."""
    return [
        CheckpointListing(
            part.where,
            _recognise([part]),
            sum(value.numel() for value in part.state.values()),
            {key: (str(value.dtype).removeprefix("torch."), tuple(value.shape)) for key, value in part.state.items()},
        )
        for part in files.state_dicts(path)
    ]


def _read_saved(path: Path, header: Mapping[str, Any], system: str | None) -> ImportedNetworks:
    """A file that `save` wrote, checked like any other."""
    name = header["system"]
    if system not in (None, name):
        raise UsageError(f"{path}: holds networks of {name}, not of {system}", f"use --system {name}")
    kind: Any = RECIPES.resolve(name)
    config = parse(kind.Config, kind.Config.from_older(header["config"]), f"{path}, config")
    with torch.device("meta"):
        recipe: nn.Module = kind(config)
    parts = placed((part.label, part) for part in files.state_dicts(path))
    states = {role: fitted(part, recipe.get_submodule(role), str, "by its config") for role, part in parts.items()}
    return ImportedNetworks(name, config, states, header["side"], tuple(header["notes"]))


def _expand_folders(paths: list[Path]) -> list[Path]:
    """The paths, each folder replaced by the files in it; of several checkpoints there only the latest."""
    opened = []
    for path in paths:
        if not path.is_dir():
            opened.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in files.SUFFIXES)
        latest = [file for file in found if "latest" in file.name]
        if not found:
            raise UsageError(
                f"{path}: no file of weights in this folder", f"it would end in {', '.join(files.SUFFIXES)}"
            )
        opened += latest or found
    return opened


def _recognise(found: Iterable[StateDict]) -> str | None:
    """The system whose networks these look like."""
    return next((name for name in SYSTEMS if any(_system(name).recognises(part.state) for part in found)), None)


def _system(name: str) -> CheckpointFormat:
    system: CheckpointFormat = SYSTEMS.resolve(name)
    return system
