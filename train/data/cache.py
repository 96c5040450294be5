"""Pictures decoded once: a memory-mapped array per set of files, so that a dataset may be larger than memory."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import NOT_THERE, atomic_write, reading, write_text
from curate.pipeline.core.locks import waiting_lock
from curate.pipeline.core.progress import Progress
from curate.pipeline.imaging import shards

CACHE = Path("processed/cache")

# As numpy writes it; its own reader evaluates what stands there.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?s:..)\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([\d, ]+)\), \} *\n"
)
_LONGEST = 256  # bytes of it

Picture = tuple[str, str]  # its name and its path below the root


def load_decoded(
    root: Path, key: str, pictures: Sequence[Picture], made_by: str, progress: Progress
) -> tuple[Tensor, str]:
    """`pictures` as uint8 [N, side, side, 3], mapped, and the digest of their names, shape and pixels.

    They are decoded into processed/cache unless they lie there already. There is one array per `key`: an older one
    of the same key is replaced. Of several processes one decodes and the others wait for it. `made_by` is the command
    that makes the files. Raises UsageError for pictures of unequal size and CurateError for one that is missing or
    unreadable, and for a disk that refuses.
    """
    if not pictures:
        return torch.empty(0, 0, 0, 3, dtype=torch.uint8), _hash()
    content = [f"{name} {_stat(root, path, made_by)}" for name, path in pictures]  # whether they changed, unread
    prefix, label = _hash(*key.splitlines())[:8], " ".join(key.splitlines())
    path = closed_folder(root, CACHE.as_posix()) / f"{prefix}-{_hash(*content)[:16]}.npy"

    def waits(owner: str) -> None:
        progress.note(f"waiting for process {owner or 'unknown'}, which decodes {label}")

    with waiting_lock(path.with_name(f".{prefix}.lock"), waits):
        if (found := _cached(path, len(pictures))) is None:
            if path.exists():
                progress.note(f"{path}: broken; its pictures are decoded anew")
            for stale in (*path.parent.glob(f"{prefix}-*"), *path.parent.glob(f".{prefix}-*.tmp")):
                stale.unlink(missing_ok=True)  # who has it mapped keeps it
            digest = _decode(root, pictures, path, f"decode {label}", made_by, progress)
            write_text(path.with_suffix(".json"), json.dumps({"digest": digest}))
            found = _cached(path, len(pictures))
    if found is None:
        raise CurateError(f"{path}: written, and not there", "look at the disk, then run it again")
    return found


def _cached(path: Path, count: int) -> tuple[Tensor, str] | None:
    """The `count` decoded pictures and their digest; None where either file is missing or not whole.

    Raises CurateError for one that can't be read.
    """
    notes = path.with_suffix(".json")
    try:
        with reading(notes):
            digest = str(from_json(notes.read_text("utf-8"))["digest"])
        with reading(path):
            mapped = map_array(path, (count, None, None, 3), np.dtype(np.uint8))
    except (*NOT_THERE, EOFError, ValueError, KeyError, TypeError):
        return None
    return torch.from_numpy(mapped), digest


def map_array(path: Path, shape: Sequence[int | None], kind: np.dtype[Any]) -> NDArray[Any]:
    """The array of `shape`, None for a side of any length, and `kind` in the .npy file `path`, mapped, copied on write.

    torch wants a writable array, and nothing writes to it. Raises ValueError for another array, and for a file that is
    longer or shorter than its header says: what is mapped and not there ends the process when it is read.
    """
    with path.open("rb") as file:
        header = _HEADER.match(file.read(_LONGEST))
        size = os.fstat(file.fileno()).st_size
    if header is None or header[1].decode() != kind.str:
        raise ValueError("not an array of ours")
    found = tuple(int(side) for side in header[2].rstrip(b",").split(b", "))
    begin = 10 + int.from_bytes(header[0][8:10], "little")
    fits = len(found) == len(shape) and all(want in (None, side) for want, side in zip(shape, found, strict=True))
    if not fits or size != begin + math.prod(found) * kind.itemsize:
        raise ValueError(f"an array of {found} in {size} bytes")
    return np.memmap(path, kind, mode="c", offset=begin, shape=found)


def to_device_if_small(pictures: Tensor, device: torch.device | str) -> Tensor:
    """`pictures` on `device`, if it is a GPU and they take at most a quarter of its free memory; else as they are."""
    if torch.device(device).type != "cuda" or pictures.nbytes > torch.cuda.mem_get_info(device)[0] / 4:
        return pictures
    return pictures.to(device)


def _stat(root: Path, path: str, made_by: str) -> str:
    try:
        return shards.stamp(root, path)
    except FileNotFoundError:
        raise CurateError(f"{root / path}: missing", f"make it again: {made_by}") from None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _decode(root: Path, pictures: Sequence[Picture], path: Path, label: str, made_by: str, progress: Progress) -> str:
    """Writes the decoded `pictures` as one array and returns the digest of names, shape and pixels."""
    side = len(shards.load_picture(root, pictures[0][1], made_by))
    digest = hashlib.sha256(f"{side}".encode())
    shape = (len(pictures), side, side, 3)
    with atomic_write(path) as temporary, progress.task(label, len(pictures)) as task, temporary.open("wb") as file:
        # no mapped file of holes: on a full disk the kernel would kill the process instead of refusing
        write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for name, picture_path in pictures:
            picture = shards.load_picture(root, picture_path, made_by)
            if picture.shape != shape[1:]:
                first, then, rest = made_by.partition(" && ")
                raise UsageError(
                    f"{root / picture_path}: {picture.shape[1]}x{picture.shape[0]} px, others are {side}x{side}",
                    f"cut them all alike: {first} --size N{then}{rest}",
                )
            pixels = picture.tobytes()
            file.write(pixels)
            digest.update(name.encode() + pixels)
            task.advance()
    return digest.hexdigest()
