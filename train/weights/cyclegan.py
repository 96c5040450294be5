"""CycleGAN's checkpoints: a bare state dict per network, as the authors and most forks write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.networks.resnet import ResnetGenerator
from curate.train.networks.shapes import shapes_only
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.runs.factory import check_bounds
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor
from curate.train.weights.roles import discriminator_side, generator_role, judges_its_letter

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
        return any(re.match(r"model\.([01]\.weight$|\d+\.conv_block\.|model\.1\.model\.)", key) for key in state)

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        notes: list[str] = []
        roles = _roles(found, direction, notes)
        networks = placed((role, _clean(part, notes)) for role, part in roles)
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
        check_bounds("cyclegan", config, found[0].where)
        with shapes_only():
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
        ordered = {role: states[role] for role in OFFICIAL if role in states}
        assumed = any("taken as the generator" in note for note in notes)
        return ImportedNetworks("cyclegan", config, ordered, None, tuple(notes), assumed)

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        names = LAYOUTS[layout or "official"]
        parts = [StateDict(names[role], names[role], state) for role, state in imported.networks.items()]
        try:
            self.read(parts, "a2b")
        except UsageError as error:
            raise UsageError(f"not networks that other projects know: {error.message}", _ONLY) from None
        return {f"{part.label}.pth": dict(part.state) for part in parts}


_ONLY = (
    "theirs are generator plain, backbone resnet, discriminator patch with discriminator_norm instance, upsampling "
    "transposed, no face branch; "
    "see --generators-only"
)

SYSTEM = _Format()


def _roles(found: Sequence[StateDict], direction: Direction, notes: list[str]) -> list[tuple[str, StateDict]]:
    """Which of the recipe's networks each file is, by its name and what lies in it."""
    generators = [part for part in found if _is_generator(part.state)]
    by_letter = judges_its_letter(part.label for part in generators)
    roles = []
    for part in found:
        role = _role_by_name(part.label, by_letter)
        if role is None and part in generators:
            notes.append(f"{part.where}: taken as the generator {direction}")
            role = f"g_{direction}"
        if role is None and generators:
            notes.append(f"{part.where}: left out: a discriminator, but its name doesn't say of which domain")
            continue
        if role is None:
            raise UsageError(
                f"{part.where}: a discriminator, but its name doesn't say of which domain",
                f"name it like the authors do: {OFFICIAL['d_b']}.pth judges b, {OFFICIAL['d_a']}.pth judges a",
            )
        if (part in generators) != role.startswith("g_"):
            raise UsageError(
                f"{part.where}: holds a {'generator' if part in generators else 'discriminator'}", "see its name"
            )
        roles.append((role, part))
    return roles


def _role_by_name(label: str, by_letter: bool | None) -> str | None:
    """By the authors' names, aitorzip's, ours, or any that says as much; a letter alone means what generators' do."""
    known = {**{name: role for names in LAYOUTS.values() for role, name in names.items()}, **{r: r for r in OFFICIAL}}
    if label in known:
        return known[label]
    if name := re.fullmatch(r"\w+_net_D_([AB])", label):
        return "d_b" if name[1] == "A" else "d_a"
    if role := generator_role(label):
        return role
    side = discriminator_side(label)
    if side is None or by_letter is None:
        return None
    return f"d_{side}" if by_letter else f"d_{'b' if side == 'a' else 'a'}"


def _is_generator(state: State) -> bool:
    return _unet(state) or any(key.startswith("model.1.") or ".conv_block." in key for key in state)


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
    return any(key.startswith("model.model.1.model.") for key in state)


def _batch_norm(state: State) -> bool:
    return any(key.endswith("weight") and value.ndim == 1 for key, value in state.items())


def _resize_convolution(state: State) -> bool:
    """Whether a 3x3 kernel after the blocks narrows as a convolution's: [out, in, ...], not [in, out, ...]."""
    places = [int(place[1]) for key in state if (place := re.match(r"model\.(\d{1,6})\.conv_block\.", key))]
    kernels = [(re.fullmatch(r"model\.(\d{1,6})\.weight", key), value) for key, value in state.items()]
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
    places = [int(place[1]) for key in found.state if (place := re.match(r"model\.(\d{1,6})\.", key))]
    return max(max(places, default=0) - 2, 3) // 3
