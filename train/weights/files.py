"""Files of weights, opened without ever running what is in them."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.errors import CurateError, UsageError
from train.weights.system import Found, without_prefix

HEADER = "curate_weights"
"""The metadata key that marks a safetensors file as ours; its value is JSON."""

SUFFIXES = (".pth", ".pt", ".safetensors")


def state_dicts(path: Path) -> list[Found]:
    """Every state dict in a file of torch or of safetensors; tensors stay on disk until they are used, where they can.

    Raises UsageError for a file that would have to be executed, is broken, or holds something else, and CurateError
    for one that can't be read.
    """
    content = _safetensors(path) if _is_safetensors(path) else _pickled(path)
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds {_kind(content)}, not named weights", "save a network's state_dict() instead")
    found = [without_prefix(Found(label, where, state)) for label, where, state in _split(content, path)]
    if not found:
        raise UsageError(f"{path}: holds no weights", f"keys: {', '.join(map(str, list(content)[:8])) or 'none'}")
    return found


def header(path: Path) -> dict[str, Any] | None:
    """What a safetensors file of ours says about itself; None for any other file."""
    if not _is_safetensors(path):
        return None
    with safe_open(path, framework="pt") as file:
        text = (file.metadata() or {}).get(HEADER)
    return json.loads(text) if text else None


def _split(content: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, str, dict[str, Tensor]]]:
    """The state dicts in `content`: itself, or its values where those are state dicts."""
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        if other := content.keys() - tensors.keys():
            raise UsageError(f"{path}: {sorted(map(str, other))[0]} is no tensor, others are", "save a state_dict()")
        yield path.stem, str(path), tensors
        return
    for key, value in content.items():
        if isinstance(value, Mapping) and any(isinstance(leaf, Tensor) for leaf in value.values()):
            for _, _, state in _split(value, path):
                yield str(key), f"{path}, {key}", state


def _is_safetensors(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        hint = "name the file, or the folder that holds it"
        raise (UsageError if isinstance(error, FileNotFoundError) else CurateError)(
            f"{path}: {error.strerror or error}", hint
        ) from None
    return start[8:9] == b"{"  # after the length of its JSON header


def _safetensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file; ours group them as network/key."""
    grouped: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                network, _, key = name.rpartition("/")
                grouped.setdefault(network, {})[key] = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: broken: {error}", "fetch or make it again") from None
    return grouped.get("", {}) if set(grouped) == {""} else dict(grouped)


def _pickled(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about archives of other kinds, which are refused below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]+)", str(error))
        if code:
            raise UsageError(
                f"{path}: refused: loading it would run code of its own ({code.group(1)})",
                "where you trust it: save only its network's state_dict(), with the project that made it",
            ) from None
        raise UsageError(f"{path}: not a file of weights", "torch and safetensors files are read") from None
    except (RuntimeError, OSError, EOFError, LookupError, ValueError, AttributeError, TypeError) as error:
        if "TorchScript" in str(error):
            raise UsageError(
                f"{path}: refused: a TorchScript archive is a program", "save its state_dict() instead"
            ) from None
        detail = next(iter(str(error).splitlines()), "it ends early")
        raise UsageError(f"{path}: broken, or not a file of weights: {detail}", "fetch or make it again") from None


def _kind(content: Any) -> str:
    return "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"
