"""CAGAN's checkpoints: what Chainer's `save_npz` makes of the swimwear article's two networks, a file each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.networks import AdditiveUNet, GlobalDiscriminator
from curate.train.runs.factory import check_bounds
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor

NETWORKS = ("generator", "discriminator")

STATISTICS = ("avg_mean", "avg_var", "N")
"""Running averages that some versions of the article's instance norm keep, and never use unless asked to."""

LEAVES = {"weight": "W", "bias": "b"}  # of convolutions and of the linear layer
NORM_LEAVES = {"weight": "gamma", "bias": "beta"}


def chainer_name(key: str) -> str:
    """What Chainer calls our `key`; the links' names are the article's own."""
    link, leaf = key.split(".")
    return f"{link}/{(NORM_LEAVES if 'bn' in link else LEAVES)[leaf]}"


class _Format:
    layouts = ("chainer",)
    networks = NETWORKS

    def recognises(self, state: State) -> bool:
        return "c0/W" in state and ("dc0/W" in state or "l4/W" in state)

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        notes: list[str] = []
        networks = placed((_role(part), _clean(part, notes)) for part in found)
        width = agreed({part.where: int(tensor(part, "c0/W").shape[0]) for part in networks.values()}, "width")
        sizes = {part.where: _size(part, width) for role, part in networks.items() if role == "discriminator"}
        config = CAGANConfig(variant="chainer", width=width, size=agreed(sizes, "images of px:"))
        check_bounds("cagan", config, found[0].where)
        states = {role: _fitted(role, part, config) for role, part in networks.items()}
        ordered = {role: states[role] for role in NETWORKS if role in states}
        return ImportedNetworks("cagan", config, ordered, config.size, tuple(notes))

    def files(self, imported: ImportedNetworks, layout: str) -> Mapping[str, Any]:
        if getattr(imported.config, "variant", None) != "chainer":
            raise UsageError(
                "not networks that other projects know: Chainer's files are of model.variant chainer alone",
                "keep them in a file of our own: curate weights import",
            )
        return {
            f"{role}.npz": {chainer_name(key): value for key, value in state.items()}
            for role, state in imported.networks.items()
        }


SYSTEM = _Format()


def _role(found: StateDict) -> str:
    if "dc0/W" in found.state and "l4/W" in found.state:
        raise UsageError(f"{found.where}: holds names of both networks", "save each of them in a file of its own")
    return "generator" if "dc0/W" in found.state else "discriminator"


def _clean(found: StateDict, notes: list[str]) -> StateDict:
    """`found` without running averages."""
    kept = {key: value for key, value in found.state.items() if not _is_statistic(key)}
    if len(kept) < len(found.state):
        notes.append(
            f"{found.where}: {len(found.state) - len(kept)} running averages left out; the article never used them"
        )
    return StateDict(found.label, found.where, kept)


def _is_statistic(key: str) -> bool:
    return re.fullmatch(rf"d?bn\d/({'|'.join(STATISTICS)})", key) is not None


def _size(found: StateDict, width: int) -> int:
    """The px to which a discriminator's last layer binds it: it sees maps of a 32nd of the image's sides."""
    features = int(tensor(found, "l4/W").shape[1])
    side = math.isqrt(features // (8 * width))
    if 8 * width * side * side != features:
        raise UsageError(
            f"{found.where}: of another shape (c0/W says width {width}): l4/W has {features} columns, which are not "
            f"{8 * width} maps of a square",
            "see all names and shapes: curate weights show FILE",
        )
    return 32 * side


def _fitted(role: str, found: StateDict, config: CAGANConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        network: nn.Module = (
            AdditiveUNet(config.width)
            if role == "generator"
            else GlobalDiscriminator(config.width, config.size or 0, config.noise)
        )
    return fitted(found, network, chainer_name, f"c0/W says width {config.width}")
