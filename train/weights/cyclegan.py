"""CycleGAN's checkpoints: a bare state dict per network, as the authors and most forks write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.networks.resnet import ResnetGenerator
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor

OFFICIAL = {"g_a2b": "latest_net_G_A", "g_b2a": "latest_net_G_B", "d_b": "latest_net_D_A", "d_a": "latest_net_D_B"}
"""The authors' files. Their D_A judges the fakes of G_A, which are images of b: it is our d_b."""

COMPACT = {"g_a2b": "netG_A2B", "g_b2a": "netG_B2A", "d_a": "netD_A", "d_b": "netD_B"}
"""aitorzip's files. There netD_A judges images of a: it is the authors' D_B."""

LAYOUTS = {"official": OFFICIAL, "compact": COMPACT}

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class _Format:
    layouts = tuple(LAYOUTS)
    networks = tuple(OFFICIAL)

    def recognises(self, state: State) -> bool:
        return any(re.match(r"model\.(model\.)?[01]\.weight$|model\.\d+\.conv_block\.", key) for key in state)

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        notes: list[str] = []
        networks = placed((_role(part, direction, notes), _clean(part, notes)) for part in found)
        generators = {role: part for role, part in networks.items() if role.startswith("g_")}
        discriminators = {role: part for role, part in networks.items() if role.startswith("d_")}
        widths = {part.where: _rows(part, "model.0.weight") for part in discriminators.values()}
        shapes = {
            "width": agreed({part.where: _rows(part, "model.1.weight") for part in generators.values()}, "width"),
            "blocks": agreed({part.where: _blocks(part) for part in generators.values()}, "residual blocks:"),
            "discriminator_width": agreed(widths, "width"),
            "discriminator_layers": agreed({part.where: _layers(part) for part in discriminators.values()}, "layers:"),
        }
        config = CycleGANConfig(**{key: value for key, value in shapes.items() if value is not None})
        with torch.device("meta"):
            generator = ResnetGenerator(config.width, config.blocks)
            discriminator = PatchDiscriminator(config.discriminator_width, config.discriminator_layers)
        states = {
            role: fitted(part, generator, str, f"model.1.weight says width {config.width}")
            for role, part in generators.items()
        }
        states |= {
            role: fitted(part, discriminator, str, f"model.0.weight says width {config.discriminator_width}")
            for role, part in discriminators.items()
        }
        return ImportedNetworks(
            "cyclegan", config, {role: states[role] for role in OFFICIAL if role in states}, None, tuple(notes)
        )

    def files(self, imported: ImportedNetworks, layout: str) -> Mapping[str, Any]:
        names = LAYOUTS[layout]
        parts = [StateDict(names[role], names[role], state) for role, state in imported.networks.items()]
        try:
            self.read(parts, "a2b")
        except UsageError as error:
            raise UsageError(f"not networks that other projects know: {error.message}", _ONLY) from None
        return {f"{part.label}.pth": dict(part.state) for part in parts}


_ONLY = (
    "theirs are discriminator patch with discriminator_norm instance, upsampling transposed, no face branch; "
    "see --generators-only"
)

SYSTEM = _Format()


def _role(found: StateDict, direction: Direction, notes: list[str]) -> str:
    """Which of the recipe's networks a file is, by its name and what lies in it."""
    generator = _unet(found.state) or any(key.startswith("model.1.") or ".conv_block." in key for key in found.state)
    if name := re.fullmatch(r"(?:\w+_)?net_([GD])_([AB])", found.label):
        kind, side = name[1], name[2]
        role = f"g_{'a2b' if side == 'A' else 'b2a'}" if kind == "G" else f"d_{'b' if side == 'A' else 'a'}"
    elif name := re.fullmatch(r"netG_([AB])2([AB])|netD_([AB])", found.label):
        role = f"d_{name[3].lower()}" if name[3] else f"g_{name[1].lower()}2{name[2].lower()}"
    elif generator:
        notes.append(f"{found.where}: taken as the generator {direction}")
        return f"g_{direction}"
    else:
        raise UsageError(
            f"{found.where}: a discriminator, but its name doesn't say of which domain",
            f"name it like the authors do: {OFFICIAL['d_b']}.pth judges b, {OFFICIAL['d_a']}.pth judges a",
        )
    if generator != role.startswith("g_"):
        raise UsageError(f"{found.where}: holds a {'generator' if generator else 'discriminator'}", "see its name")
    return role


def _clean(found: StateDict, notes: list[str]) -> StateDict:
    """`found` without old running statistics. Raises UsageError for networks that only resemble CycleGAN's."""
    state = found.state
    for recognises, reason in _LOOKALIKES.items():
        if recognises(state):
            raise UsageError(f"{found.where}: refused: {reason}", "its network is another one, with other results")
    kept = {key: value for key, value in state.items() if not key.endswith(STATISTICS)}
    if len(kept) < len(state):
        notes.append(
            f"{found.where}: {len(state) - len(kept)} running statistics left out; the authors' test never used them"
        )
    return StateDict(found.label, found.where, kept)


def _antialiased(state: State) -> bool:
    return any(key.endswith(".filt") for key in state)


def _unet(state: State) -> bool:
    return any(key.startswith("model.model.") for key in state)


def _batch_norm(state: State) -> bool:
    return any(key.endswith("weight") and value.ndim == 1 for key, value in state.items())


def _resize_convolution(state: State) -> bool:
    """Whether a 3x3 kernel after the blocks narrows as a convolution's: [out, in, ...], not [in, out, ...]."""
    places = [int(place[1]) for key in state if (place := re.match(r"model\.(\d+)\.conv_block\.", key))]
    kernels = [(re.fullmatch(r"model\.(\d+)\.weight", key), value) for key, value in state.items()]
    return any(
        name is not None and places and int(name[1]) > max(places) and _narrowing(value) for name, value in kernels
    )


def _narrowing(kernel: Tensor) -> bool:
    return kernel.ndim == 4 and kernel.shape[2] == 3 and kernel.shape[0] < kernel.shape[1]


_LOOKALIKES = {
    _antialiased: "antialiased layers (.filt), as CUT builds them unless no_antialias is set",
    _unet: "a U-Net generator; only resnet generators are read",
    _batch_norm: "batch norm, whose running statistics it needs; only instance norm is read",
    _resize_convolution: "it upsamples by resizing and convolving, not by transposed convolutions",
}


def _rows(found: StateDict, key: str) -> int:
    return int(tensor(found, key).shape[0])


def _blocks(found: StateDict) -> int:
    return len({key.split(".")[1] for key in found.state if ".conv_block." in key})


def _layers(found: StateDict) -> int:
    """The layers of a discriminator as its authors count them: each has three places between the first and the last."""
    places = [int(place[1]) for key in found.state if (place := re.match(r"model\.(\d+)\.", key))]
    return max(max(places, default=0) - 2, 3) // 3
