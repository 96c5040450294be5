"""Files of weights, opened without ever running what is in them, and without believing what they say of their sizes."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError
from curate.train.engine import safetensors_file
from curate.train.weights import hdf5

HEADER = "curate_weights"
"""The metadata key that marks a safetensors file as ours; its value is JSON."""

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".npz", ".h5", ".hdf5", ".pkl")

AGAIN = "fetch or make it again"
MOST_BYTES = 16 << 30  # of all arrays of a compressed archive
MOST_RATIO, SMALL = 100, 64 << 20  # how far weights are compressed, and what is small enough not to ask


def read(path: Path) -> Mapping[Any, Any]:
    """What a file of torch, safetensors, numpy or Keras (HDF5) holds: tensors by name, in as many dicts as there are.

    Tensors stay on disk until they are used, if they can. Raises UsageError for a file that would have to be executed,
    is broken, claims to be larger than it is, or holds something else; CurateError for one that can't be read.
    """
    if path.is_dir():
        raise UsageError(f"{path}: a folder, not a file of weights", "name a file in it")
    if path.suffix.lower() == ".onnx":
        raise UsageError(f"{path}: a network as it is computed, without names of weights", f"--onnx {path}")
    if safetensors_file.is_one(path):
        return safetensors_file.read(path)[1]
    if path.stat().st_size == 0:
        raise UsageError(f"{path}: broken, or not a file of weights: it is empty", AGAIN)
    content = _hdf5(path) if hdf5.is_one(path) else _arrays(path) if _is_npz(path) else _pickled(path)
    if not isinstance(content, Mapping):
        raise UsageError(f"{path}: holds {_kind(content)}, not named weights", "save a network's state_dict() instead")
    return content


def expand_folders(paths: list[Path]) -> list[Path]:
    """The paths, each folder replaced by the files in it; of several checkpoints there only the latest.

    Raises UsageError for a folder without one.
    """
    opened = []
    for path in paths:
        if not path.is_dir():
            opened.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        latest = [file for file in found if "latest" in file.name]
        if not found:
            raise UsageError(f"{path}: no file of weights in this folder", f"it would end in {', '.join(SUFFIXES)}")
        opened += latest or found
    return opened


def write(content: Mapping[str, Any], path: Path, suffix: str) -> None:
    """Writes `content` to `path` in the format that `suffix` stands for: .npz, .h5 as Keras does, else torch's.

    Raises OSError when the disk is full, and ImportError for .h5 without h5py.
    """
    if suffix == ".h5":
        hdf5.write(content, path)
        return
    with path.open("wb") as file:  # not the path, whose name torch would write into its archive
        if suffix == ".npz":
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in content.items()}
            np.savez_compressed(file, **arrays)
            return
        outlet = _Outlet(file)
        torch.save(content, cast("IO[bytes]", outlet))
        if outlet.error is not None:
            raise outlet.error


class _Outlet(io.RawIOBase):
    """A file for torch's writer, which has an error of its own for one that fails: it keeps the file's for later."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.file, self.error = file, None

    error: OSError | None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Nothing: the file is flushed when it is closed."""


def header(path: Path) -> dict[str, Any] | None:
    """What a safetensors file of ours says about itself; None for any other file."""
    if not path.is_file() or not safetensors_file.is_one(path):
        return None
    text = safetensors_file.metadata(path).get(HEADER)
    if text is None:
        return None
    try:
        told: dict[str, Any] = from_json(text)
        if not {"system", "config", "side", "notes"} <= told.keys():
            raise ValueError
    except (ValueError, AttributeError):
        raise UsageError(f"{path}: broken: its header is not one of ours", AGAIN) from None
    return told


def check_tensor(name: str, value: Tensor, size: int) -> str:
    """What is wrong with a tensor of a file of `size` bytes, in words; "" where nothing is."""
    if value.layout != torch.strided or value.is_nested:
        return f"{name} is {str(value.layout).removeprefix('torch.')}, not dense"
    if value.is_quantized:
        return f"{name} is quantised ({_dtype(value)})"
    if value.is_meta:
        return f"{name} has a shape and no values"
    if value.is_complex():
        return f"{name} holds complex numbers ({_dtype(value)})"
    if value.numel() * value.element_size() > max(size, SMALL):
        return f"{name} claims to be {_gib(value.numel() * value.element_size())}, more than the file holds"
    return ""


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _gib(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"


def _is_npz(path: Path) -> bool:
    """Whether it is a zip archive of arrays; torch's are of other members. Raises UsageError for a bomb."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, LookupError):
        return path.suffix == ".npz"  # whose reader says what is wrong with it
    if len(members) > safetensors_file.MOST_TENSORS:
        raise UsageError(f"{path}: broken: it claims to hold {len(members):,} files", AGAIN)
    total = sum(member.file_size for member in members)
    if total > SMALL and total > min(MOST_BYTES, MOST_RATIO * path.stat().st_size) and total > path.stat().st_size:
        raise UsageError(
            f"{path}: refused: its {path.stat().st_size:,} bytes claim to unpack to {_gib(total)}",
            "save it without compression where that is true",
        )
    return bool(members) and all(member.filename.endswith(".npy") for member in members)


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz, as Chainer and numpy write them."""
    tensors: dict[str, Tensor] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as file:
                    _check_npy(file, member.file_size, name)
                with archive.open(member) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
                tensors[name] = torch.from_numpy(_native(np.asarray(array)))
    except _ObjectsError as error:
        raise UsageError(
            f"{path}: refused: {error} holds Python objects, and loading them would run code of its own",
            "save arrays of numbers alone",
        ) from None
    except Exception as error:  # a hostile archive may make numpy and zipfile raise anything
        raise UsageError(f"{path}: broken, or not a file of weights: {_first(error)}", AGAIN) from None
    return tensors


class _ObjectsError(Exception):
    """An array of Python objects, by its name."""


def _check_npy(file: Any, size: int, name: str) -> None:
    """Raises ValueError for an array that says it is of another size than its member, before anything is reserved."""
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if dtype.hasobject:
        raise _ObjectsError(name)
    count = 1
    for side in shape:
        count *= int(side)
    if count < 0 or file.tell() + count * dtype.itemsize != size:
        raise ValueError(f"{name} claims to be {_gib(count * dtype.itemsize)} and has {size:,} bytes")


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """`array` in this machine's byte order."""
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(array.shape)


def _hdf5(path: Path) -> dict[str, Tensor]:
    try:
        return hdf5.read(path)
    except ImportError:
        raise
    except Exception as error:  # h5py has many for a broken file
        raise UsageError(f"{path}: broken, or not a file of weights: {_first(error)}", AGAIN) from None


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
    except Exception as error:  # a hostile pickle may make torch raise anything, for want of memory, too
        if "TorchScript" in str(error):
            raise UsageError(
                f"{path}: refused: a TorchScript archive is a program", "save its state_dict() instead"
            ) from None
        raise UsageError(f"{path}: broken, or not a file of weights: {_first(error)}", AGAIN) from None


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _kind(content: Any) -> str:
    return "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"
