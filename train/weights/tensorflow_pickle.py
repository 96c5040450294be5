"""StyleGAN2's networks as its TensorFlow code of 2019 and 2020 pickled them, under the names of the PyTorch code.

A file holds three networks: generator, discriminator, the generator's average. Each keeps arrays by their TensorFlow
names, the settings that it was built with, and the source of the function that built it, which is never run: what it
would build is known for the architectures that are read, and the others are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.train.weights.format import StateDict
from curate.train.weights.inert_pickle import Array, Stub

CLASS = "dnnlib.tflib.network.Network"
NAMES = ("G", "D", "G_ema")  # of the three, in the order of the file
OLDEST = 4  # version of the file's networks, with which StyleGAN2 began

LAYERS = (
    (r"mapping/Dense(\d+)", r"mapping.fc\1"),
    (r"mapping/LabelEmbed", "mapping.embed"),
    (r"synthesis/4x4/Const", "synthesis.b4"),
    (r"synthesis/4x4/Conv", "synthesis.b4.conv1"),
    (r"synthesis/(\d+)x\1/Conv0_up", r"synthesis.b\1.conv0"),
    (r"synthesis/(\d+)x\1/Conv1", r"synthesis.b\1.conv1"),
    (r"synthesis/(\d+)x\1/ToRGB", r"synthesis.b\1.torgb"),
    (r"(\d+)x\1/FromRGB", r"b\1.fromrgb"),
    (r"(\d+)x\1/Conv0", r"b\1.conv0"),
    (r"(\d+)x\1/Conv1_down", r"b\1.conv1"),
    (r"(\d+)x\1/Skip", r"b\1.skip"),
    (r"4x4/Conv", "b4.conv"),
    (r"4x4/Dense0", "b4.fc"),
    (r"Output", "b4.out"),
    (r"LabelEmbed", "mapping.embed"),
    (r"Mapping(\d+)", r"mapping.fc\1"),
)
"""Layers by their name there, and in the PyTorch code."""

LEAVES = {"mod_weight": "affine.weight", "mod_bias": "affine.bias"}

BOTH: Mapping[str, Any] = {"num_channels": 3, "nonlinearity": "lrelu", "resample_kernel": [1, 3, 3, 1]}
ONLY: Mapping[str, Mapping[str, Any]] = {
    "generator": {
        **BOTH,
        **{"architecture": "skip", "use_noise": True, "mapping_nonlinearity": "lrelu", "normalize_latents": True},
    },
    "discriminator": {**BOTH, "architecture": "resnet"},
}
"""Settings of which one value is read; what a file does not say has it."""

ANY = (
    *("latent_size", "label_size", "dlatent_size", "resolution", "mapping_layers", "mapping_fmaps", "mapping_lrmul"),
    *("label_fmaps", "fmap_base", "fmap_max", "fmap_decay", "fmap_min", "num_fp16_res", "conv_clamp", "structure"),
    *("truncation_psi", "truncation_cutoff", "style_mixing_prob", "w_avg_beta", "dlatent_avg_beta", "dtype"),
    *("randomize_noise", "fused_modconv", "mbstd_group_size", "mbstd_num_features", "freeze_layers", "impl"),
)
"""Settings that the arrays' shapes say again, that are read below, or that change no picture."""


def is_triple(content: Any) -> bool:
    """Whether a pickle's content is what that code writes."""
    return isinstance(content, tuple | list) and len(content) == 3 and all(_is_network(part) for part in content)


def read(content: Any, path: Path) -> list[StateDict]:
    """The networks G, D and G_ema. Raises UsageError for another architecture, and for a broken one."""
    return [_network(part, name, f"{path}, {name}") for part, name in zip(content, NAMES, strict=True)]


def _is_network(value: Any) -> bool:
    return isinstance(value, Stub) and value.name == CLASS


def _network(network: Stub, name: str, where: str) -> StateDict:
    state = _dict(network)
    settings = _dict(state.get("static_kwargs"))
    version = state.get("version")
    if not isinstance(version, int) or version < OLDEST:
        raise UsageError(
            f"{where}: version {version!r}: a network of StyleGAN, not of StyleGAN2"[:200],
            "networks of stylegan2 (config E and F) and stylegan2-ada are read",
        )
    kind = "discriminator" if name == "D" else "generator"
    _check_settings(settings, kind, where)
    tensors = {_renamed(theirs): tensor for theirs, tensor in _variables(state, where)}
    tensors.pop("lod", None)
    if any("_lod" in key for key in tensors):
        raise _other(where, "architecture", "'orig'", f"only {ONLY[kind]['architecture']!r}")
    if "mapping/LabelConcat/weight" in tensors:
        raise _other(where, "labels", "as in 2019", "only stylegan2-ada's")
    return StateDict(name, where, tensors | _numbers(state, settings, kind, tensors, where))


def _check_settings(settings: Mapping[Any, Any], kind: str, where: str) -> None:
    """Raises UsageError for a network whose pictures would be others."""
    for key, value in settings.items():
        if key in ONLY[kind]:
            wanted = ONLY[kind][key]
            plain = list(value) if isinstance(value, tuple) else value
            if type(plain) is not type(wanted) or plain != wanted:
                raise _other(where, str(key), repr(value), f"only {wanted!r}")
        elif key not in ANY:
            raise _other(where, str(key), repr(value), "nothing of that name")


def _other(where: str, key: str, value: str, read: str) -> UsageError:
    return UsageError(
        f"{where}: built with {key} {value[:60]}, of which {read} is read",
        "of the TensorFlow pickles those of config E, config F and stylegan2-ada are read: generator 'skip', "
        "discriminator 'resnet'",
    )


def _variables(state: Mapping[Any, Any], where: str) -> Iterator[tuple[str, Tensor]]:
    """A network's arrays by their name, then those of its parts; G's mapping and synthesis are networks of their own.

    Kernels, [height, width, inputs, outputs] there, become [outputs, inputs, height, width], and matrices change sides.
    """
    parts = _dict(state.get("components"))
    holders = {"": state} | {f"{name}/": _dict(parts[name]) for name in ("mapping", "synthesis") if name in parts}
    for prefix, holder in holders.items():
        found = holder.get("variables")
        for entry in found if isinstance(found, list | tuple) else ():
            if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[0], str):
                raise UsageError(f"{where}: broken: its arrays have no names", "fetch it again")
            name = prefix + entry[0]
            array = _values(entry[1], f"{where}: {name}")
            try:
                yield name, _as_torch(name, array)
            except (TypeError, ValueError):
                raise UsageError(
                    f"{where}: {name}: broken: {array.dtype} {list(array.shape)}", "fetch it again"
                ) from None


def _values(value: Any, where: str) -> NDArray[Any]:
    array = value.value if isinstance(value, Array) else value
    if isinstance(array, float):
        return np.array(array, np.float32)
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{where}: broken: it is no array", "fetch it again")
    return array


def _as_torch(name: str, array: NDArray[Any]) -> Tensor:
    leaf = name.rpartition("/")[2]
    if leaf == "mod_bias":
        array = array + np.float32(1.0)  # there the layer adds the 1 with which its biases begin here
    elif leaf == "const" or re.fullmatch(r"noise\d+", leaf):
        array = array.reshape(array.shape[-3 if leaf == "const" else -2 :])
    elif leaf in ("weight", "mod_weight") and array.ndim == 2:
        array = array.T
    elif leaf == "weight" and array.ndim == 4:
        if "/Conv0_up/" in name:  # that code turns it around before it enlarges, the PyTorch code does not
            array = array[::-1, ::-1]
        array = array.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))  # which would make 0 axes one


def _renamed(name: str) -> str:
    if name == "dlatent_avg":
        return "mapping.w_avg"
    if noise := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        number = int(noise[1])
        layer = "b4.conv1" if number == 0 else f"b{2 ** ((number + 5) // 2)}.conv{1 - number % 2}"
        return f"synthesis.{layer}.noise_const"
    layer, _, leaf = name.rpartition("/")
    for pattern, ours in LAYERS:
        if found := re.fullmatch(pattern, layer):
            return f"{found.expand(ours)}.{LEAVES.get(leaf, leaf)}"
    return name


def _numbers(
    state: Mapping[Any, Any], settings: Mapping[Any, Any], kind: str, tensors: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """The numbers of network_pickle.NUMBERS, which the PyTorch code keeps in its layers, out of the settings."""
    numbers: dict[str, Any] = {}
    rate = settings.get("mapping_lrmul", 0.01 if kind == "generator" else 0.1)
    numbers |= {f"{key[:-4]}bias_gain": rate for key in tensors if re.fullmatch(r"mapping\.fc\d+\.bias", key)}
    if kind == "generator":
        numbers["synthesis.b4.conv1.conv_clamp"] = settings.get("conv_clamp")
    else:
        own = 4 if state.get("build_func_name") == "D_stylegan2" else None  # of 2019; later: the whole batch
        numbers["b4.conv.conv_clamp"] = settings.get("conv_clamp")
        numbers["b4.mbstd.group_size"] = settings.get("mbstd_group_size", own)
        numbers["b4.mbstd.num_channels"] = settings.get("mbstd_num_features", 1)
    if strange := [key for key, value in numbers.items() if not isinstance(value, int | float | None)]:
        raise UsageError(f"{where}: broken: {strange[0]} is no number", "fetch it again")
    return {key: torch.tensor(math.inf if value is None else float(value)) for key, value in numbers.items()}


def _dict(value: Any) -> Mapping[Any, Any]:
    """The state of a stub, or the items of one that stands for a dict; a dict itself; nothing for anything else."""
    if isinstance(value, Stub):
        found: Any = value.state if _is_network(value) else value.items  # type: ignore[attr-defined]
        return found if isinstance(found, Mapping) else {}
    return value if isinstance(value, Mapping) else {}
