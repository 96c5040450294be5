"""U-GAT-IT's checkpoints: the authors' six networks in one file, and single generators of image_converter."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.networks.shapes import shapes_only
from curate.train.recipes.ugatit.config import UGATITConfig
from curate.train.recipes.ugatit.networks import AttentionDiscriminator, AttentionGenerator
from curate.train.runs.factory import check_bounds
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor
from curate.train.weights.roles import generator_role

NETWORKS = {
    "g_a2b": "genA2B",
    "g_b2a": "genB2A",
    "d_a_global": "disGA",
    "d_b_global": "disGB",
    "d_a_local": "disLA",
    "d_b_local": "disLB",
}
"""The recipe's name of each network, and the authors'. Both call a discriminator by the domain that it judges."""

ALONE = {"g_a2b": "generator_A2B_trained_model_cpu", "g_b2a": "generator_B2A_trained_model_cpu"}
"""The files of image_converter, which keeps generators only."""

LABELS = {name: role for names in (NETWORKS, ALONE) for role, name in names.items()} | {role: role for role in NETWORKS}

UP = {"0": "2", "1": "3", "3": "7", "4": "8", "7": "11"}
"""The places of a generator's last layers here, and there, where enlarging and padding are layers of their own."""


def generator_name(key: str) -> str:
    """What the authors call a generator's `key`."""
    if block := re.match(r"blocks\.(\d+)\.(.*)", key):
        return f"UpBlock1_{int(block[1]) + 1}.{block[2]}"
    if last := re.match(r"up\.(\d+)\.(.*)", key):
        return f"UpBlock2.{UP[last[1]]}.{last[2]}"
    part, _, rest = key.partition(".")
    return {"down": "DownBlock.", "cam": "", "fc": "FC."}.get(part, f"{part}.") + rest


def discriminator_name(key: str) -> str:
    """What the authors call a discriminator's `key`; all layers but conv1x1 have torch's old spectral norm."""
    path, _, leaf = key.rpartition(".")
    path = re.sub(r"^cam\.", "", re.sub(r"^body\b", "model", re.sub(r"^head\b", "conv", path)))
    if path == "conv1x1" or leaf == "bias":
        return f"{path}.{leaf}"
    return f"{path}.{'weight_orig' if leaf == 'weight' else f'weight_{leaf}'}"


class _Format:
    layouts = ("official", "image_converter")
    networks = tuple(NETWORKS)

    def recognises(self, state: State) -> bool:
        return any(key.startswith(("UpBlock1_", "gap_fc.", "gmp_fc.")) for key in state)

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        networks, notes = _roles(found, direction)
        generators = {role: _Generator(part) for role, part in networks.items() if role.startswith("g_")}
        discriminators = {role: part for role, part in networks.items() if role not in generators}
        depths = {role: _depth(part) for role, part in discriminators.items()}
        widths = {part.where: _rows(part, "model.1.weight_orig") for part in discriminators.values()}
        widths |= {generator.found.where: generator.width for generator in generators.values()}
        shapes: dict[str, Any] = {"width": agreed(widths, "width")}
        if generators:
            shapes |= {
                key: agreed({g.found.where: getattr(g, key) for g in generators.values()}, what)
                for key, what in (("blocks", "blocks:"), ("light", "a light generator:"), ("size", "images of px:"))
            }
        for view in ("global", "local"):
            shapes[f"{view}_layers"] = agreed(_layers_by_file(depths, networks, view), f"{view} layers:")
        config = UGATITConfig(**shapes)
        check_bounds("ugatit", config, found[0].where)
        states = {role: generator.fitted() for role, generator in generators.items()}
        states |= {role: _fitted(part, config.width, depths[role]) for role, part in discriminators.items()}
        ordered = {role: states[role] for role in NETWORKS if role in states}
        assumed = any("taken as the generator" in note for note in notes)
        return ImportedNetworks("ugatit", config, ordered, config.size, notes, assumed, _step(found))

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        config = imported.config
        if isinstance(config, UGATITConfig) and (config.generator, config.backbone) != ("plain", "resnet"):
            raise UsageError(
                f"not networks that other projects know: generator {config.generator}, backbone {config.backbone}",
                "theirs are generator plain, backbone resnet; curate's own files keep all",
            )
        renamed = {
            role: {_name(role)(key): value for key, value in state.items()} for role, state in imported.networks.items()
        }
        if layout == "image_converter":
            return {f"{ALONE[role]}.pth": state for role, state in renamed.items() if role in ALONE}
        if missing := NETWORKS.keys() - renamed.keys():
            raise UsageError(
                f"the official layout has six networks; {', '.join(sorted(missing))} of them are missing here",
                "use --layout image_converter, which has generators only",
            )
        # The authors' test() reads DATASET_params_0000100.pt: a number has to stand after the last _.
        return {f"curate_params_{imported.step or 0:07}.pt": {NETWORKS[role]: renamed[role] for role in NETWORKS}}


SYSTEM = _Format()


class _Generator:
    """A generator's config, as its shapes show it."""

    def __init__(self, found: StateDict) -> None:
        self.found = found
        self.width = _rows(found, "DownBlock.1.weight")
        self.blocks = len({key.partition(".")[0] for key in found.state if key.startswith("UpBlock1_")})
        features = tensor(found, "FC.0.weight").shape[-1]
        self.light = features == 4 * self.width
        self.size = None if self.light else 4 * math.isqrt(features // (4 * self.width))

    def fitted(self) -> dict[str, Tensor]:
        with shapes_only():
            network = AttentionGenerator(self.width, self.blocks, light=self.light, size=self.size or 0)
        reason = f"DownBlock.1.weight says width {self.width}"
        return fitted(self.found, network, generator_name, reason)


def _fitted(found: StateDict, width: int, depth: int) -> dict[str, Tensor]:
    with shapes_only():
        network = AttentionDiscriminator(width, depth)
    return fitted(found, network, discriminator_name, f"model.1.weight_orig says width {width}")


def _roles(found: Sequence[StateDict], direction: Direction) -> tuple[dict[str, StateDict], tuple[str, ...]]:
    roles, notes = [], []
    judges = [part for part in found if any(key.endswith(".weight_orig") for key in part.state)]
    for part in found:
        role = LABELS.get(part.label)
        if role is None and part not in judges:
            role = generator_role(part.label)
        if role is None and part in judges and len(judges) < len(found):
            notes.append(f"{part.where}: left out: a discriminator, but its name doesn't say which")
            continue
        if role is None:
            if part in judges:
                raise UsageError(
                    f"{part.where}: a discriminator, but its name doesn't say which",
                    f"name it by one of {', '.join(list(NETWORKS.values())[2:])}",
                )
            role = f"g_{direction}"
            notes.append(f"{part.where}: taken as the generator {direction}")
        roles.append((role, part))
    return placed(roles), tuple(notes)


def _step(found: Sequence[StateDict]) -> int | None:
    """The steps that the authors' files have in their names, selfie2anime_params_0000100.pt."""
    numbers = {int(name[1]) for part in found if (name := re.search(r"_params_(\d{1,9})\.pt\b", part.where))}
    return numbers.pop() if len(numbers) == 1 else None


def _depth(found: StateDict) -> int:
    """The layers of a discriminator as its authors count them: its body's convolutions, every third place, and one."""
    places = [int(place[1]) for key in found.state if (place := re.match(r"model\.(\d{1,6})\.", key))]
    return max(places, default=1) // 3 + 2


def _layers_by_file(depths: Mapping[str, int], networks: Mapping[str, StateDict], view: str) -> dict[str, int]:
    return {networks[role].where: depth for role, depth in depths.items() if role.endswith(view)}


def _name(role: str) -> Any:
    return generator_name if role.startswith("g_") else discriminator_name


def _rows(found: StateDict, key: str) -> int:
    return int(tensor(found, key).shape[0])
