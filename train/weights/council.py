"""Council-GAN's checkpoints: the authors' file for each network of each member, b2a_gen_0_01000000.pt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.council.config import MOST_MEMBERS, CouncilConfig
from curate.train.recipes.council.networks import ScaledDiscriminator
from curate.train.recipes.council.recipe import make_generator
from curate.train.runs.factory import check_bounds
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor

KINDS = {"g": "gen", "d": "dis", "dc": "dis_council"}
"""The recipe's name of each of a member's networks, and the authors'."""

NAME = re.compile(r"(?:(?P<way>a2b|b2a)_)?(?P<kind>gen|dis_council|dis)_(?P<member>\d{1,3})(?:_(?P<step>\d{1,12}))?")
DUMMY = re.compile(r"\.norm\.running_(mean|var)$")


class _Format:
    layouts = ("official",)
    networks = tuple(f"{kind}_{n}" for n in range(MOST_MEMBERS) for kind in KINDS)

    def recognises(self, state: State) -> bool:
        return any(key.startswith(("mlp.model.0.fc.", "enc_content.model.", "cnns.0.0.conv.")) for key in state)

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        names, notes = _of_members([_Name(part) for part in found])
        way = next((name.way for name in names if name.way), None)
        members = sorted({name.member for name in names if name.member is not None}) or [0]
        moved = [(theirs, here) for here, theirs in enumerate(members) if theirs != here]
        notes += [f"member {theirs} of the files is member {here} here" for theirs, here in moved]
        if way is None:
            notes.append(f"{found[0].where}: taken as of the direction {direction}")
        networks = placed((name.role(members), name.found) for name in names)
        config = _config(networks, way or direction, len(members))
        check_bounds("council", config, found[0].where)
        states = {role: _fitted(role, networks[role], config) for role in sorted(networks, key=_order)}
        steps = {name.step for name in names if name.step is not None}
        step = steps.pop() if len(steps) == 1 else None
        return ImportedNetworks("council", config, states, None, tuple(notes), assumed=way is None, step=step)

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        config: Any = imported.config
        if config.mask_gain != CouncilConfig().mask_gain:
            raise UsageError(
                f"not networks that the authors' code knows: model.mask_gain is {config.mask_gain}", "theirs is 10"
            )
        made = {}
        for role, state in imported.networks.items():
            kind, _, member = role.partition("_")
            values = dict(_with_dummies(state, config)) if kind == "g" else dict(state)
            name = f"{config.direction}_{KINDS[kind]}_{member}_{imported.step or 0:08}.pt"
            made[name] = {config.direction: values}
        return made


SYSTEM = _Format()


class _Name:
    """What a file's name says of the network in it, and what the network does."""

    def __init__(self, found: StateDict) -> None:
        """The direction is also the key that the network has in its file."""
        kept = {key: value for key, value in found.state.items() if not DUMMY.search(key)}
        self.found = replace(found, state=kept)
        told = NAME.search(found.where.rpartition("/")[2])
        self.way = found.label if found.label in ("a2b", "b2a") else told["way"] if told else None
        self.member = int(told["member"]) if told else None
        self.step = int(told["step"]) if told and told["step"] else None
        if "mlp.model.0.fc.weight" in kept:
            self.kind = "g"
        else:
            self.kind = "dc" if "cnns.0.5.weight" in kept else "d"

    def role(self, members: Sequence[int]) -> str:
        """The recipe's name of it."""
        return f"{self.kind}_{members.index(self.member) if self.member is not None else 0}"


def _of_members(names: Sequence[_Name]) -> tuple[list[_Name], list[str]]:
    """Those of which members are made, each the last of its network, and notes on the others.

    Raises UsageError for networks of both directions, and for nothing but what compares a lone member with others.
    """
    ways = {name.way: name.found.where for name in names if name.way}
    if len(ways) > 1:
        (way, where), (other, there) = ways.items()
        raise UsageError(
            f"{where} has the direction {way}, {there} has {other}: a council goes one way",
            f"name those of one direction alone, as {way}_*.pt does",
        )
    last, notes = _newest(names)
    painting = {name.member for name in last if name.kind == "g"}
    if painting and None not in painting:
        painting.add(None)  # whose name says no member
        notes += [f"{n.found.where}: left out: its member has no generator" for n in last if n.member not in painting]
        last = [name for name in last if name.member in painting]
    judges = [name for name in last if name.kind == "dc"]
    if len({name.member for name in last}) == 1:
        if len(judges) == len(last):
            raise UsageError(
                f"{last[0].found.where}: a council of one compares nobody",
                "name its generator, and other members' files",
            )
        notes += [f"{name.found.where}: left out: a council of one compares nobody" for name in judges]
        last = [name for name in last if name not in judges]
    return last, notes


def _newest(names: Sequence[_Name]) -> tuple[list[_Name], list[str]]:
    """The last of each network, as the authors' code takes it, and notes on those before."""
    last: dict[tuple[str, int | None], _Name] = {}
    notes = []
    for name in sorted(names, key=lambda name: name.step or 0):
        before = last.get((name.kind, name.member))
        if before is not None and before.step != name.step:
            notes.append(f"{before.found.where}: left out: there is a later one")
            del last[name.kind, name.member]
        if (name.kind, name.member) in last:
            placed((f"{one.kind}_{one.member}", one.found) for one in (name, last[name.kind, name.member]))
        last[name.kind, name.member] = name
    return list(last.values()), notes


def _config(networks: Mapping[str, StateDict], direction: str, members: int) -> CouncilConfig:
    """What the shapes of the networks say of them."""
    generators = [part for role, part in networks.items() if role.startswith("g_")]
    judges = [part for role, part in networks.items() if not role.startswith("g_")]
    shapes: dict[str, Any] = {"direction": direction, "members": members}
    firsts = {part.where: len(tensor(part, "cnns.0.0.conv.weight")) for part in judges}
    if generators:
        read = {part.where: _shapes(part) for part in generators}
        for key in read[generators[0].where]:
            shapes[key] = agreed({where: own[key] for where, own in read.items()}, f"{key}:")
    shapes["discriminator_width"] = agreed(firsts, "width")
    return CouncilConfig(**shapes)


def _shapes(found: StateDict) -> dict[str, int]:
    hidden, style = tensor(found, "mlp.model.0.fc.weight").shape
    block = re.compile(r"enc_content\.model\.3\.model\.(\d{1,6})\.")
    blocks = {number[1] for key in found.state if (number := block.match(key))}
    return {
        "width": len(tensor(found, "enc_content.model.0.conv.weight")),
        "blocks": max(1, len(blocks)),
        "style": style,
        "hidden": hidden,
        "masks": max(1, len(tensor(found, "dec.model.9.conv.weight")) // 4),
    }


def _fitted(role: str, found: StateDict, config: CouncilConfig) -> dict[str, Tensor]:
    width = config.discriminator_width or config.width
    with torch.device("meta"):
        network: nn.Module = (
            make_generator(config)
            if role.startswith("g_")
            else ScaledDiscriminator(width, council=role.startswith("dc_"))
        )
    said = f"width {config.width}, {config.blocks} blocks" if role.startswith("g_") else f"width {width}"
    return fitted(found, network, str, f"its first layers say {said}")


def _with_dummies(state: State, config: CouncilConfig) -> Iterator[tuple[str, Tensor]]:
    """`state` with the statistics that the authors' norms keep and never use, in their places."""
    with torch.device("meta"):
        adaptive = iter(make_generator(config).dec.adaptive)
    for key, value in state.items():
        if layer := re.fullmatch(r"(dec\.model\.(?:0\.model\.\d+\.model\.\d+|[2356]))\.conv\.weight", key):
            channels = next(adaptive)
            yield f"{layer[1]}.norm.running_mean", torch.zeros(channels)
            yield f"{layer[1]}.norm.running_var", torch.ones(channels)
        yield key, value


def _order(role: str) -> tuple[int, int]:
    kind, _, member = role.partition("_")
    return int(member), list(KINDS).index(kind)
