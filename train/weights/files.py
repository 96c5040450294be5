"""Files of weights, opened without ever running what is in them."""

from __future__ import annotations

import json
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.weights.format import StateDict, without_prefix

HEADER = "curate_weights"
"""The metadata key that marks a safetensors file as ours; its value is JSON."""

SUFFIXES = (".pth", ".pt", ".safetensors", ".npz")


def state_dicts(path: Path) -> list[StateDict]:
    """Every state dict in a file of torch, safetensors or numpy; tensors stay on disk until they are used, if they can.

    Raises UsageError for a file that would have to be executed, is broken, or holds something else, and CurateError
    for one that can't be read.
    """
    content = _safetensors(path) if _is_safetensors(path) else _arrays(path) if _is_npz(path) else _pickled(path)
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds {_kind(content)}, not named weights", "save a network's state_dict() instead")
    found = [without_prefix(StateDict(label, where, state)) for label, where, state in _split(content, path)]
    if not found:
        raise UsageError(f"{path}: holds no weights", f"keys: {', '.join(map(str, list(content)[:8])) or 'none'}")
    return found


def write(content: Mapping[str, Any], path: Path, suffix: str) -> None:
    """Writes `content` to `path` in the format that `suffix` stands for: .npz as Chainer does, else torch's."""
    with path.open("wb") as file:  # not the path, whose name torch would write into its archive
        if suffix == ".npz":
            np.savez_compressed(file, **{name: value.numpy() for name, value in content.items()})
        else:
            torch.save(content, file)


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


def _is_npz(path: Path) -> bool:
    """Whether it is a zip archive of arrays; torch's are of other members."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix == ".npz"
    return bool(names) and all(name.endswith(".npy") for name in names)


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz, as Chainer and numpy write them."""
    tensors: dict[str, Tensor] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                tensors[name] = torch.from_numpy(_plain(archive, name, path))
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path}: broken, or not a file of weights: {error}", "fetch or make it again") from None
    return tensors


def _plain(archive: Any, name: str, path: Path) -> NDArray[Any]:
    """The array `name`, in this machine's byte order. Raises UsageError for one of Python objects."""
    try:
        array = np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise UsageError(
            f"{path}: refused: {name} holds Python objects, and loading them would run code of its own",
            "save arrays of numbers alone",
        ) from None
    return array.astype(array.dtype.newbyteorder("="))


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
        raise UsageError(f"{path}: not a file of weights", "files of torch, safetensors and numpy are read") from None
    except (RuntimeError, OSError, EOFError, LookupError, ValueError, AttributeError, TypeError) as error:
        if "TorchScript" in str(error):
            raise UsageError(
                f"{path}: refused: a TorchScript archive is a program", "save its state_dict() instead"
            ) from None
        detail = next(iter(str(error).splitlines()), "it ends early")
        raise UsageError(f"{path}: broken, or not a file of weights: {detail}", "fetch or make it again") from None


def _kind(content: Any) -> str:
    return "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"
