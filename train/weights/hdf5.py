"""HDF5, as Keras keeps weights: the arrays of a file by their path in it, and a file that Keras' load_weights reads."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
OPTIMIZER = "optimizer_weights"  # Keras' group of what only training needs
DEEPEST, MOST = 12, 10_000  # groups within groups; arrays


def is_one(path: Path) -> bool:
    """Whether the file `path` begins as HDF5."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read(path: Path) -> dict[str, Tensor]:
    """Every array of numbers, as conv2d_1/conv2d_1/kernel:0, without the optimiser's.

    Links to other files are not followed. Raises ValueError for what claims more than lies in the file, OSError and
    others of h5py for a broken one, ImportError without h5py.
    """
    import h5py

    size = path.stat().st_size
    with h5py.File(path, "r") as file:
        arrays: dict[str, Tensor] = {}
        for name, dataset in _datasets(file, "", 0):
            if len(arrays) >= MOST:
                raise ValueError(f"it holds more than {MOST:,} arrays")
            if dataset.external or dataset.is_virtual:
                raise ValueError(f"{name} lies in another file")
            if dataset.nbytes > max(100 * size, 64 << 20):
                raise ValueError(f"{name} claims to be {dataset.nbytes / 2**30:,.1f} GiB")
            if dataset.dtype.kind in "fiu":
                array = np.asarray(dataset[()])
                arrays[name] = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        return arrays


def _datasets(group: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    import h5py

    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink) or (not prefix and key == OPTIMIZER):
            continue
        entry = group[key]
        if isinstance(entry, h5py.Dataset):
            yield prefix + key, entry
        elif depth < DEEPEST:
            yield from _datasets(entry, f"{prefix}{key}/", depth + 1)


def write(layers: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Arrays by layer and weight, in order, as Keras' save_weights does. Raises ImportError without h5py."""
    import h5py

    # in memory first: HDF5 has locks of its own on a file, and no word for a disk that refuses
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in layers])  # old Keras wants bytes here
        file.attrs["backend"], file.attrs["keras_version"] = np.bytes_(b"tensorflow"), np.bytes_(b"2.1.0")
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{weight}:0".encode() for weight in weights])
            for weight, array in weights.items():
                group.create_dataset(f"{name}/{weight}:0", data=array)
    path.write_bytes(whole.getbuffer())
