"""StyleGAN2's checkpoints: the authors' pickles of stylegan2-ada-pytorch, of stylegan3 in its StyleGAN2 configuration
and of the TensorFlow code, and state dicts of these networks under the PyTorch code's names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.recipes.stylegan2.config import StyleGAN2Config
from curate.train.recipes.stylegan2.layers import blur_kernel
from curate.train.recipes.stylegan2.networks import MAPPING_RATE
from curate.train.recipes.stylegan2.recipe import StyleGAN2
from curate.train.runs.factory import check_bounds
from curate.train.weights.format import Direction, ImportedNetworks, State, StateDict, agreed, fitted, placed, tensor
from curate.train.weights.network_pickle import NUMBERS

ROLES = {"generator": "G", "discriminator": "D", "average": "G_ema"}
"""Our networks, and the authors' names of them."""

FILTER = "resample_filter"  # a constant that each of their layers keeps
ALL = 4096  # group_size where a group is the whole batch


class _Format:
    layouts = ("state_dict",)
    networks = tuple(ROLES)

    def recognises(self, state: State) -> bool:
        return "synthesis.b4.const" in state or {"b4.fc.weight", "b4.out.weight"} <= state.keys()

    def read(self, found: Sequence[StateDict], direction: Direction) -> ImportedNetworks:
        networks, notes = _roles(found)
        shapes: dict[str, Any] = {}
        for key in ("size", "channel_base", "channel_max", "labels", "conv_clamp"):
            shapes[key] = agreed({part.where: _measure(part)[key] for part in networks.values()}, key)
        for role, part in networks.items():
            _check_constants(part)
            shapes |= _discriminator(part) if role == "discriminator" else _generator(part)
        if all("conv_clamp" not in name for part in networks.values() for name in part.state):
            notes.append("conv_clamp: not in the file: taken as 256, as the authors' trainings have it")
            shapes["conv_clamp"] = 256.0
        config = StyleGAN2Config(**shapes)
        check_bounds("stylegan2", config, found[0].where)
        with torch.device("meta"):
            recipe = StyleGAN2(config)
        wanted = {"average": recipe.generator, "generator": recipe.generator, "discriminator": recipe.discriminator}
        states = {
            role: fitted(_weights(part), wanted[role], str, "by its largest and its smallest maps")
            for role, part in networks.items()
        }
        if "generator" not in states and "average" in states:
            states["generator"] = states.pop("average")
        if "average" in states:
            states["average"] = {f"network.{key}": value for key, value in states["average"].items()}
        ordered = {role: states[role] for role in ROLES if role in states}
        return ImportedNetworks("stylegan2", config, ordered, config.size, tuple(notes))

    def files(self, imported: ImportedNetworks, layout: str | None) -> Mapping[str, Any]:
        """One file of the three state dicts, which the authors' classes load as they are."""
        made: dict[str, Any] = {}
        for role, state in imported.networks.items():
            plain = {key.removeprefix("network."): value for key, value in state.items()}
            made[ROLES[role]] = plain | {name: _filter() for name in _filter_names(plain)}
        made.setdefault("G_ema", made["G"])
        return {"network.pt": made}


SYSTEM = _Format()


def _roles(found: Sequence[StateDict]) -> tuple[dict[str, StateDict], list[str]]:
    """Which of the recipe's networks each is, and notes on the others."""
    named, notes = [], []
    for part in found:
        if "synthesis.b4.const" in part.state:
            named.append(("average" if "ema" in part.label.lower() else "generator", part))
        elif "mapping.embed.weight" in part.state and "mapping.fc0.weight" not in part.state:
            notes.append(f"{part.where}: left out: its labels have no mapping, as in the TensorFlow code alone")
        elif "b4.fc.weight" in part.state:
            named.append(("discriminator", part))
        elif part.state:
            notes.append(f"{part.where}: left out: no network of StyleGAN2")
    return placed(named), notes


def _measure(found: StateDict) -> dict[str, Any]:
    """What a network's shapes and numbers say of the config that all networks share."""
    generates = "synthesis.b4.const" in found.state
    pattern = r"synthesis\.b(\d{1,5})\.conv1\.weight" if generates else r"b(\d{1,5})\.conv0\.weight"
    widths = {int(m[1]): int(value.shape[0]) for k, value in found.state.items() if (m := re.fullmatch(pattern, k))}
    if not generates:
        widths[4] = int(tensor(found, "b4.fc.weight").shape[0])
    size = max(widths)
    clamps = {float(v) for k, v in found.state.items() if k.rpartition(".")[2] == "conv_clamp"} - {float("inf")}
    if len(clamps) > 1:
        raise UsageError(f"{found.where}: its layers have several conv_clamp: {sorted(clamps)}", "one is supported")
    embedded = found.state.get("mapping.embed.weight")
    return {
        "size": size,
        "channel_base": widths[size] * size,
        "channel_max": widths[4],
        "labels": 0 if embedded is None else int(embedded.shape[1]),
        "conv_clamp": next(iter(clamps), None),
    }


def _generator(found: StateDict) -> dict[str, Any]:
    w_dim = int(tensor(found, "synthesis.b4.conv1.affine.weight").shape[1])
    embedded = w_dim if "mapping.embed.weight" in found.state else 0
    return {
        "w_dim": w_dim,
        "z_dim": int(tensor(found, "mapping.fc0.weight").shape[1]) - embedded,
        "mapping_layers": sum(re.fullmatch(r"mapping\.fc\d+\.weight", key) is not None for key in found.state),
    }


def _discriminator(found: StateDict) -> dict[str, Any]:
    group = float(found.state.get("b4.mbstd.group_size", torch.tensor(4.0)))
    return {
        "residual": any(key.endswith(".skip.weight") for key in found.state),
        "group_size": ALL if group == float("inf") else int(group),
    }


def _check_constants(found: StateDict) -> None:
    """Raises UsageError for a network that only resembles StyleGAN2's: with other filters, or learning rates."""
    for key, value in found.state.items():
        leaf = key.rpartition(".")[2]
        if leaf == FILTER and (value.shape != (4, 4) or not torch.allclose(value.float(), _filter(), atol=1e-6)):
            raise UsageError(f"{found.where}: {key} is not (1, 3, 3, 1)", "networks of other filters are not read")
        wanted = MAPPING_RATE if re.search(r"mapping\.fc\d+\.bias_gain$", key) else 1.0
        if leaf == "bias_gain" and abs(float(value) - wanted) > 1e-9:
            raise UsageError(f"{found.where}: {key} is {float(value):g}, not {wanted:g}", "others are not read")
        if leaf == "num_channels" and float(value) != 1.0:
            raise UsageError(f"{found.where}: {key} is {float(value):g}, not 1", "others are not read")


def _weights(found: StateDict) -> StateDict:
    """`found` without constants and numbers."""
    kept = {
        key: value.float() if value.dtype == torch.float16 else value
        for key, value in found.state.items()
        if key.rpartition(".")[2] not in (FILTER, *NUMBERS)
    }
    return StateDict(found.label, found.where, kept)


def _filter() -> Tensor:
    return blur_kernel(torch.empty(1, 1, 1, 1), 1.0)[0, 0].clone()


def _filter_names(state: Mapping[str, Tensor]) -> set[str]:
    """Where the authors' classes keep the filter: in each block but a discriminator's last, and each convolution."""
    affines = [key for key in state if re.search(r"conv\d\.affine\.weight$", key)]
    names = {f"{key.removesuffix('affine.weight')}{FILTER}" for key in affines}
    names |= {f"{m[1]}{FILTER}" for key in state if (m := re.match(r"(synthesis\.b\d+\.)", key))}
    if "b4.fc.weight" in state:
        layers = (re.fullmatch(r"((b\d+\.)(?:conv\d?|fromrgb|skip)\.)weight", key) for key in state)
        for layer in filter(None, layers):
            names |= {f"{layer[1]}{FILTER}"} | ({f"{layer[2]}{FILTER}"} if layer[2] != "b4." else set())
    return names
