"""Reading and writing other projects' checkpoints, safely.

A system is a recipe whose networks other projects have trained, too. Its module, one row of `SYSTEMS`, knows their
files: which networks lie in them, under what names, and what their shapes say about the config. No file is ever
executed. `read` also takes the files that saved.save writes, which hold the same in one safetensors file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.outputs import OutputPlan, files_of
from curate.pipeline.core.registry import Registry
from curate.pipeline.faces.config import CropRules
from curate.train.data.config import DataConfig
from curate.train.engine import checkpoint
from curate.train.engine.contract import Recipe
from curate.train.engine.precision import select_device
from curate.train.recipes import RECIPES
from curate.train.runs.photo_networks import PhotoRules
from curate.train.runs.stored import StoredCheckpoint
from curate.train.runs.trained import Trained, load_checkpoint
from curate.train.weights import files, network_pickle, saved
from curate.train.weights.format import CheckpointFormat, Direction, ImportedNetworks, State, StateDict
from curate.train.weights.own import (
    average_of,
    check_own,
    check_same,
    find_own,
    read_checkpoint,
    refuse_renames,
)
from curate.train.weights.shipped import located
from curate.train.weights.unwrap import Rename, is_optimizer, unwrap, whole

SYSTEMS = Registry(
    "system",
    {
        "cyclegan": "curate.train.weights.cyclegan:SYSTEM",
        "ugatit": "curate.train.weights.ugatit:SYSTEM",
        "cagan": "curate.train.weights.cagan:SYSTEM",
        "council": "curate.train.weights.council:SYSTEM",
        "stylegan2": "curate.train.weights.stylegan2:SYSTEM",
    },
)


@dataclass(frozen=True)
class CheckpointListing:
    """One state dict of a file, as `show` lists it."""

    where: str
    system: str | None  # None: not one that we know
    parameters: int
    tensors: Mapping[str, tuple[str, tuple[int, ...]]]  # type and shape by name


def read(
    paths: Path | Iterable[Path],
    system: str | None = None,
    direction: Direction = "a2b",
    renames: Sequence[Rename] = (),
) -> ImportedNetworks:
    """The networks in one file, in several that belong together, in the files of a folder, or of a run.

    The name of weights that come with curate stands for their file. A run, RUN@WHICH and a run's own file are what
    `runs.stored.find` takes; of them generators come by their moving average where there is one. `system` None is
    recognised by names and shapes. A single generator whose file name says nothing is `direction`'s. `renames` change
    beginnings of other projects' names. Raises UsageError for files that would have to be executed, are broken, or do
    not fit, with what is wrong in them.
    """
    named = located([paths] if isinstance(paths, Path) else paths)
    if system is not None:
        SYSTEMS[system]
    if own := find_own(named):
        check_own(own, system, renames)
        return read_checkpoint(own, _system(str(own.config_json["recipe"])).networks)
    opened = files.expand_folders(named)
    if len(opened) == 1 and (header := files.header(opened[0])):
        check_same(opened[0], str(header["system"]), system)
        refuse_renames(opened[0], renames)
        return saved.read(opened[0], header)
    parts = {path: _found(path, system, renames) for path in opened}
    found = [part for path in opened for part in parts[path]]
    guess = _recognise(found)
    if system is None and guess is None:
        raise UsageError(
            f"{opened[0]}: not the networks of a system that we know",
            f"systems: {', '.join(SYSTEMS)}; see what is in it: curate weights show {opened[0]}",
        )
    if system is not None and guess is not None:
        check_same(opened[0], guess, system)
    imported: ImportedNetworks = _system(system or str(guess)).read(found, direction)
    left = tuple(
        f"{path}: left out: optimisers' states, with which only its own code goes on"
        for path in opened
        if not parts[path]
    )
    return replace(imported, notes=(*imported.notes, *left))


def load(
    paths: Sequence[Path],
    system: str | None = None,
    direction: Direction = "a2b",
    renames: Sequence[Rename] = (),
    *,
    size: int | None = None,
    device: str = "auto",
) -> tuple[Trained, tuple[str, ...]]:
    """What `read` takes, ready to translate, and notes on what was left out or assumed.

    A run's own networks come with all that the run knows of how its photos are cut. Raises like `read` and `trained`.
    """
    paths = located(paths)
    if own := find_own(paths):
        check_own(own, system, renames)
        networks = load_checkpoint(own, device)
        if size is not None:
            networks.check_size(size)
        return networks, ()
    imported = read(paths, system, direction, renames)
    networks = trained(imported, str(paths[0]), size=size, device=device)
    return replace(networks, files=tuple(files.expand_folders(list(paths)))), imported.notes


def write(
    imported: ImportedNetworks,
    folder: Path,
    layout: str | None = None,
    *,
    generators_only: bool = False,
    sources: Iterable[Path] = (),
    force: bool = False,
) -> list[Path]:
    """Writes the files that the other project reads, in `layout` or the usual one; every value stays bit for bit.

    Raises UsageError for an unknown layout, for networks that it wants and that are missing, and for a file that is one
    of `sources` or, without `force`, anybody else's.
    """
    system = _system(imported.system)
    if layout is not None and layout not in system.layouts:
        raise UsageError(f"{imported.system} has no layout '{layout}'", f"layouts: {', '.join(system.layouts)}")
    if generators_only:
        imported = saved.without_discriminators(imported)
    made = {folder / name: content for name, content in system.files(imported, layout).items()}
    with OutputPlan(made, files_of(sources), force=force) as plan:
        for path, content in made.items():
            with plan.write(path) as temporary:
                files.write(content, temporary, path.suffix)
    return list(made)


def build(imported: ImportedNetworks) -> Recipe:
    """The recipe with the imported networks; the others keep their first weights.

    A moving average that was not imported, with which a recipe renders, begins where the generator stands that it
    follows.
    """
    recipe: Any = RECIPES.resolve(imported.system)(imported.config)
    for role, state in imported.networks.items():
        getattr(recipe, role).load_state_dict(state)
        average = average_of(role)
        if average not in imported.networks and getattr(recipe, average, None) is not None:
            getattr(recipe, average).network.load_state_dict(state)
    built: Recipe = recipe
    return built


def trained(imported: ImportedNetworks, source: str, *, size: int | None = None, device: str = "auto") -> Trained:
    """The imported generators, ready to translate; `source` says to a person where they come from.

    `size` is the px that photos are made, where the networks take any. Photos are cut like those of the run, where that
    is known, else as the data half cuts faces by default. Raises UsageError for another size than a network's only one.
    """
    config: Any = imported.config
    if not config.any_size and size not in (None, imported.side):
        raise UsageError(f"{source}: takes images of {imported.side} px alone", f"leave --size {size} out")
    recipe: Any = build(imported)
    keys = frozenset(recipe.keys(config))
    side = size or imported.side or (DataConfig().size if "human" in keys else None)
    width = side * 3 // 4 if side and getattr(config, "variant", None) == "keras" else None  # the notebook's shape
    align: Literal["ffhq", "auto"] = "auto" if "b" in keys or "human" in keys else "ffhq"  # as StyleGAN2's are
    default = dict.fromkeys("ab", CropRules(size=side, align=align) if side else CropRules())
    named = {"a": "a"} if "a" in keys and "b" not in keys else {"a": "a", "b": "b"}
    photos = imported.photos or PhotoRules(named, default, width)
    directions = tuple(way for way in get_args(Direction) if _goes(imported.networks, way, config.directions))
    return Trained(
        recipe=recipe.to(select_device(device)),
        source=source,
        step=imported.step,
        side=side,
        domains=photos.domains,
        rules=photos.rules,
        directions=directions,
        keys=keys,
        width=photos.width,
        letterbox=photos.letterbox,
        any_size=config.any_size,
        members=getattr(config, "members", 0),
    )


def _goes(networks: Mapping[str, Any], way: str, ways: Sequence[str]) -> bool:
    """Whether a generator goes that `way`: one that says so, or any of networks that go no other."""
    return f"g_{way}" in networks or (tuple(ways) == (way,) and any(role.startswith("g_") for role in networks))


def show(path: Path) -> list[CheckpointListing]:
    """What lies in a file, network by network, whether or not a system knows it; or in a run's newest checkpoint.

    Raises UsageError like `read`.
    """
    if own := find_own([path]):
        return list(_list_own(own))
    listings = []
    for file in files.expand_folders([path]):
        for part in _parts(file, _known):
            listings.append(_listing(part.where, _recognise([part]), part.state))
    return listings


def _list_own(own: StoredCheckpoint) -> Iterator[CheckpointListing]:
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in checkpoint.read(own.path)[1].items():
        kind, _, rest = name.partition("/")
        part, _, key = rest.partition("." if kind == "model" else "/")
        parts.setdefault(part if kind == "model" else f"{kind} {part}" if key else kind, {})[key or rest] = value
    for part, state in parts.items():
        yield _listing(f"{own.path}, {part}", str(own.config_json["recipe"]), state)


def _listing(where: str, system: str | None, state: State) -> CheckpointListing:
    return CheckpointListing(
        where,
        system,
        sum(value.numel() for value in state.values()),
        {key: (str(value.dtype).removeprefix("torch."), tuple(value.shape)) for key, value in state.items()},
    )


def _found(path: Path, system: str | None, renames: Sequence[Rename]) -> list[StateDict]:
    """The networks in a file; all that is in it where none is recognised, and its tensors checked. None in one of
    optimisers' states.
    """
    if not network_pickle.is_one(path) and is_optimizer(files.read(path)):
        return []
    found = _parts(path, _known if system is None else _system(system).recognises, renames)
    size = path.stat().st_size
    for part in found:
        if wrong := next((w for key, value in part.state.items() if (w := files.check_tensor(key, value, size))), ""):
            raise UsageError(f"{part.where}: refused: {wrong}", "save it as plain tensors of floating-point numbers")
    return found


def _parts(path: Path, recognises: Callable[[State], bool], renames: Sequence[Rename] = ()) -> list[StateDict]:
    """The networks in a file that `recognises`, else that any system knows, else all that is in it."""
    if network_pickle.is_one(path):
        refuse_renames(path, renames)
        return network_pickle.read(path)
    content = files.read(path)
    return unwrap(content, path, recognises, renames) or unwrap(content, path, _known, renames) or whole(content, path)


def _known(state: State) -> bool:
    return any(_system(name).recognises(state) for name in SYSTEMS)


def _recognise(found: Iterable[StateDict]) -> str | None:
    """The system whose networks these look like."""
    return next((name for name in SYSTEMS if any(_system(name).recognises(part.state) for part in found)), None)


def _system(name: str) -> CheckpointFormat:
    system: CheckpointFormat = SYSTEMS.resolve(name)
    return system
