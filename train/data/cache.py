"""Pictures decoded once: a memory-mapped array per set of files, so that a dataset may be larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import Progress
from curate.pipeline.imaging import shards

CACHE = Path("processed/cache")

Picture = tuple[str, str]  # its name and its path below the root


def load_decoded(
    root: Path, key: str, pictures: Sequence[Picture], made_by: str, progress: Progress
) -> tuple[Tensor, str]:
    """`pictures` as uint8 [N, side, side, 3], mapped, and the digest of their names, shape and pixels.

    They are decoded into processed/cache unless they lie there already. There is one array per `key`: an older one
    of the same key is replaced. `made_by` is the command that makes the files. Raises UsageError for pictures of
    unequal size and CurateError for one that is missing or unreadable.
    """
    if not pictures:
        return torch.empty(0, 0, 0, 3, dtype=torch.uint8), _hash()
    content = [f"{name} {_stat(root, path, made_by)}" for name, path in pictures]  # whether they changed, unread
    path = root / CACHE / f"{_hash(*key.splitlines())[:8]}-{_hash(*content)[:16]}.npy"
    notes = path.with_suffix(".json")
    if not path.is_file() or not notes.is_file():
        for stale in (*path.parent.glob(f"{path.name[:9]}*"), *path.parent.glob(f".{path.name[:9]}*.tmp")):
            stale.unlink(missing_ok=True)
        label = f"decode {' '.join(key.splitlines())}"
        digest = _decode(root, pictures, path, label, made_by, progress)
        with atomic_write(notes) as temporary:
            temporary.write_text(json.dumps({"digest": digest}))
    mapped = np.load(path, mmap_mode="c")  # copy on write: torch wants a writable array, and nothing writes to it
    return torch.from_numpy(mapped), json.loads(notes.read_text())["digest"]


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
    with atomic_write(path) as temporary, progress.task(label, len(pictures)) as task:
        pixels = open_memmap(temporary, "w+", np.uint8, (len(pictures), side, side, 3))
        for index, (name, picture_path) in enumerate(pictures):
            picture = shards.load_picture(root, picture_path, made_by)
            if picture.shape != (side, side, 3):
                first, then, rest = made_by.partition(" && ")
                raise UsageError(
                    f"{root / picture_path}: {picture.shape[1]}x{picture.shape[0]} px, others are {side}x{side}",
                    f"cut them all alike: {first} --size N{then}{rest}",
                )
            pixels[index] = picture
            digest.update(name.encode() + picture.tobytes())
            task.advance()
        pixels.flush()
    return digest.hexdigest()
