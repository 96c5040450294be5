"""CAGAN's checkpoints: the swimwear article's two networks as Chainer's `save_npz` writes them, and the notebook's as
Keras does, a file each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.networks.shapes import shapes_only
from curate.train.recipes.cagan.config import CAGANConfig
from curate.train.recipes.cagan.networks import AdditiveUNet, BatchNormPatch, ConditionedUNet, GlobalDiscriminator
from curate.train.runs.factory import check_bounds
from curate.train.weights import keras
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
    layouts = ("chainer", "keras", "keras-npz")
    networks = NETWORKS

    def recognises(self, state: State) -> bool:
        return keras.recognises(state) or ("c0/W" in state and ("dc0/W" in state or "l4/W" in state))

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        if all(keras.recognises(part.state) for part in found):
            return _read_keras(found)
        notes: list[str] = []
        networks = placed((_role(part), _clean(part, notes)) for part in found)
        width = agreed({part.where: int(tensor(part, "c0/W").shape[0]) for part in networks.values()}, "width")
        sizes = {part.where: _size(part, width) for role, part in networks.items() if role == "discriminator"}
        config = CAGANConfig(variant="chainer", width=width, size=agreed(sizes, "images of px:"))
        check_bounds("cagan", config, found[0].where)
        states = {role: _fitted(role, part, config) for role, part in networks.items()}
        ordered = {role: states[role] for role in NETWORKS if role in states}
        return ImportedNetworks("cagan", config, ordered, config.size, tuple(notes))

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        variant = getattr(imported.config, "variant", None)
        if variant in ("modern", "warped") or (layout is not None and layout.partition("-")[0] != variant):
            raise UsageError(
                f"not networks that {layout or 'other projects'} would know: model.variant is {variant}",
                "Chainer's files are of chainer, Keras' of keras; keep others in one of our own: curate weights import",
            )
        if variant == "keras":
            return _keras_files(imported, "npz" if layout == "keras-npz" else "h5")
        return {
            f"{role}.npz": {chainer_name(key): value for key, value in state.items()}
            for role, state in imported.networks.items()
        }


def _read_keras(found: Sequence[StateDict]) -> ImportedNetworks:
    networks = placed(keras.renamed(part) for part in found)
    first = {"generator": "down1.weight", "discriminator": "conv1.weight"}
    width = agreed({part.where: len(tensor(part, first[role])) for role, part in networks.items()}, "width")
    config = CAGANConfig(variant="keras", width=width)
    check_bounds("cagan", config, found[0].where)
    with shapes_only():
        wanted: dict[str, nn.Module] = {"generator": ConditionedUNet(width), "discriminator": BatchNormPatch(width)}
    reason = f"its first convolution says width {width}"
    states = {role: fitted(networks[role], wanted[role], str, reason) for role in NETWORKS if role in networks}
    return ImportedNetworks("cagan", config, states, side=128)  # px of height, which the notebook's pictures have


def _keras_files(imported: ImportedNetworks, suffix: str) -> dict[str, Any]:
    """Layers by name for an .h5; for an .npz what model.set_weights takes, in its order."""
    config: Any = imported.config
    if config.upsampling != "transposed":
        raise UsageError(
            "not networks that Keras' notebook knows: model.upsampling is nearest", "its own is transposed"
        )
    made: dict[str, Any] = {}
    for role, state in imported.networks.items():
        layers = keras.layers_of(role, state)
        arrays = [array for weights in layers.values() for array in weights.values()]
        made[f"{role}.{suffix}"] = layers if suffix == "h5" else {f"arr_{n}": array for n, array in enumerate(arrays)}
    return made


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
    with shapes_only():
        network: nn.Module = (
            AdditiveUNet(config.width)
            if role == "generator"
            else GlobalDiscriminator(config.width, config.size or 0, config.noise)
        )
    return fitted(found, network, chainer_name, f"c0/W says width {config.width}")
