"""What a system knows of other projects' checkpoints, and the checks that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from curate.pipeline.core.config import Section
from curate.pipeline.core.errors import UsageError
from curate.train.runs.photo_networks import PhotoRules

State = Mapping[str, Tensor]
Direction = Literal["a2b", "b2a"]

NAMED = 4  # names that a message lists before it only counts them


@dataclass(frozen=True)
class StateDict:
    """One state dict of a file: `label` is its key there, or the file's stem; `where` says it to a person."""

    label: str
    where: str
    state: State


@dataclass(frozen=True)
class ImportedNetworks:
    """Networks of `system`'s recipe by their attribute's name, their keys and shapes checked against its `config`.

    `side` is the px that they were trained at, where the file says. `notes` say what was left out or assumed.
    """

    system: str
    config: Section
    networks: Mapping[str, State]
    side: int | None = None
    notes: tuple[str, ...] = ()
    assumed: bool = False  # whether a generator's direction was not said by its name
    step: int | None = None  # steps that they were trained for, where that is known
    photos: PhotoRules | None = None  # how the photos of a run of ours were cut; None: not known

    @property
    def generators(self) -> tuple[str, ...]:
        """The networks that make pictures: all but discriminators."""
        return tuple(role for role in self.networks if not role.startswith("d"))


class CheckpointFormat(Protocol):
    """The files of one system, in each of its `layouts`."""

    layouts: Sequence[str]
    networks: Sequence[str]  # of the recipe, by attribute

    def recognises(self, state: State) -> bool:
        """Whether these keys and shapes look like one of the system's networks."""

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        """The networks in `found`; a generator whose name says no direction is `direction`'s. Raises UsageError."""

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        """What to save under which file name, so that the other project reads it; None: in the usual layout.

        Raises UsageError.
        """


def fitted(found: StateDict, network: nn.Module, name: Callable[[str], str], reason: str) -> dict[str, Tensor]:
    """`found` under the keys of `network`, which calls `name(key)` what it calls key.

    Raises UsageError that names the missing and extra keys and the shapes that differ; `reason` says where the wanted
    shapes come from. `network` may stand on the meta device.
    """
    ours = network.state_dict()
    wanted = {key: value.shape for key, value in ours.items()}
    names = {key: name(key) for key in wanted}
    missing = [theirs for theirs in names.values() if theirs not in found.state]
    extra = sorted(found.state.keys() - set(names.values()))
    wrong = [
        f"{theirs} is {_shape(found.state[theirs])}, not {_shape(wanted[key])}"
        for key, theirs in names.items()
        if theirs in found.state and found.state[theirs].shape != wanted[key]
    ]
    values = {theirs: found.state[theirs] for theirs in names.values() if theirs in found.state}
    strange = [
        f"{names[key]} ({str(values[names[key]].dtype).removeprefix('torch.')})"
        for key, value in ours.items()
        if names[key] in values and value.is_floating_point() and not values[names[key]].is_floating_point()
    ]
    kinds = {
        "missing": missing,
        "not known": extra,
        f"of another shape ({reason})": wrong,
        "not of floating-point numbers": strange,
    }
    if not any(kinds.values()):
        kinds = {"not finite (NaN or infinite values)": [name for name, value in values.items() if not _finite(value)]}
    problems = [f"{what}: {_some(names)}" for what, names in kinds.items() if names]
    if problems:
        raise UsageError(f"{found.where}: {'; '.join(problems)}", "see all names and shapes: curate weights show FILE")
    return {key: found.state[theirs] for key, theirs in names.items()}


def tensor(found: StateDict, key: str) -> Tensor:
    """The tensor whose shape a config follows from. Raises UsageError without it."""
    if key not in found.state or found.state[key].ndim < 2:
        raise UsageError(f"{found.where}: missing: {key}", "see all names and shapes: curate weights show FILE")
    return found.state[key]


def agreed(values: Mapping[str, Any], what: str) -> Any:
    """The one value that all `values` by place have; None without any. Raises UsageError that names two that differ."""
    (first, value), *others = values.items() or [("", None)]
    for place, other in others:
        if other != value:
            raise UsageError(
                f"{first} has {what} {value}, {place} has {other}: they are not of one model", "name files of one run"
            )
    return value


def placed(roles: Iterable[tuple[str, StateDict]]) -> dict[str, StateDict]:
    """The state dicts by the network that each of them is. Raises UsageError where two are the same network."""
    networks: dict[str, StateDict] = {}
    for role, found in roles:
        if role in networks:
            raise UsageError(
                f"{networks[role].where} and {found.where}: both are {role}", "name the files of one checkpoint"
            )
        networks[role] = found
    return networks


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value.float() if value.element_size() == 1 else value).all())


def _shape(value: Any) -> str:
    sizes = tuple(getattr(value, "shape", value))
    return "x".join(str(size) for size in sizes) or "a single number"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
