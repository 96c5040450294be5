"""The datasets over the manifests: crops decoded once into a memory-mapped cache, batches as a function of the step.

The only place that turns uint8 into float: images are uint8 [N, H, W, 3] on disk and float32 [N, 3, H, W] in [-1, 1]
everywhere else in `train`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from msgspec import Meta
from numpy.lib.format import open_memmap
from torch import Tensor

from pipeline import images, manifest
from pipeline.errors import CurateError, UsageError, nearest
from pipeline.params import Positive, Section, Share
from pipeline.progress import SILENT, Progress
from train import augment
from train.recipe import Batch
from train.seeding import generator

CACHE = Path("processed/cache")


class Data(Section, frozen=True, kw_only=True):
    """What a run trains on; train.NAME.data in params.yaml."""

    domains: Mapping[str, str] = {}  # {a: long, b: short}; empty: the dataset's two, by name
    size: Annotated[int, Meta(ge=16, le=1024, multiple_of=4)] = 256  # px, side of what the networks see
    load: Positive | None = None  # px, side before the random crop; None: size * 286 / 256
    flip: Share = 0.5  # probability of a mirror image

    @property
    def load_side(self) -> int:
        """The side to which crops are resized before they are cut to `size`, px."""
        return self.load or round(self.size * 286 / 256)


@dataclass(frozen=True)
class Domain:
    """The crops of one domain and split, in crop_id order."""

    name: str
    images: Tensor  # uint8 [N, side, side, 3], memory-mapped
    digest: str  # of names, shape and pixels

    def __len__(self) -> int:
        return len(self.images)


def to_float(pixels: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 [N, H, W, 3] to float32 [N, 3, H, W] in [-1, 1] on `device`."""
    return pixels.to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def to_uint8(pictures: Tensor) -> Tensor:
    """float [N, 3, H, W] in [-1, 1] to uint8 [N, H, W, 3] on the CPU, rounded; the inverse of `to_float`."""
    return pictures.float().add(1.0).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().contiguous()


class Unpaired:
    """Batches of two domains, a pure function of (seed, step).

    An epoch has max(|a|, |b|) images. Within one, a runs through a shuffled order, modulo its own number, and b is
    drawn at random each time, as the official code does it. Batches run on across the ends of epochs.
    """

    def __init__(
        self, a: Domain, b: Domain, section: Data, *, batch: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.a, self.b, self.section = a, b, section
        self.batch, self.seed, self.device = batch, seed, device
        self.epoch = max(len(a), len(b))  # images

    def __call__(self, step: int) -> Batch:
        """Step `step`'s images: "a" and "b", float32 [batch, 3, size, size] in [-1, 1]."""
        draws = generator(self.seed, "batch", step)
        first = step * self.batch
        a = torch.stack([self._place(position) for position in range(first, first + self.batch)]) % len(self.a)
        b = torch.randint(len(self.b), (self.batch,), generator=draws)
        return {"a": self._prepare(self.a, a, draws), "b": self._prepare(self.b, b, draws)}

    def _place(self, position: int) -> Tensor:
        epoch, within = divmod(position, self.epoch)
        return _order(self.seed, epoch, self.epoch)[within]

    def _prepare(self, domain: Domain, at: Tensor, draws: torch.Generator) -> Tensor:
        pictures = augment.resize(to_float(domain.images[at], self.device), self.section.load_side)
        return augment.crop_and_flip(pictures, self.section.size, self.section.flip, draws)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, length: int) -> Tensor:
    return torch.randperm(length, generator=generator(seed, "order", epoch))


def load(root: Path, domain: str, split: str, *, progress: Progress = SILENT) -> Domain:
    """The crops of `domain` in `split`, decoded into processed/cache unless they lie there already.

    Raises UsageError for a domain that does not exist and for crops of unequal size, TableError without a dataset and
    CurateError for a crop that is missing or unreadable.
    """
    table = manifest.read(manifest.DATASET, root)
    known = sorted(set(table["domain"].to_pylist()))
    if domain not in known:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: there is no domain '{domain}'{nearest(domain, known)}",
            f"domains: {', '.join(known) or 'none'}; name two of them in train.NAME.data.domains",
        )
    rows = [row for row in table.to_pylist() if row["domain"] == domain and row["split"] == split]
    if not rows:
        return Domain(domain, torch.empty(0, 0, 0, 3, dtype=torch.uint8), _hash())
    path = root / CACHE / f"{_hash(domain, split)[:8]}-{_hash(*_content(root, rows))[:16]}.npy"
    notes = path.with_suffix(".json")
    if not path.is_file() or not notes.is_file():
        for stale in (*path.parent.glob(f"{path.name[:9]}*"), *path.parent.glob(f".{path.name[:9]}*.tmp")):
            stale.unlink(missing_ok=True)
        digest = _decode(root, rows, path, f"decode {domain} {split}", progress)
        with manifest.replacing(notes) as temporary:
            temporary.write_text(json.dumps({"digest": digest}))
    mapped = np.load(path, mmap_mode="c")  # copy on write: torch wants a writable array, and nothing writes to it
    return Domain(domain, torch.from_numpy(mapped), json.loads(notes.read_text())["digest"])


def chosen(root: Path, section: Data) -> Mapping[str, str]:
    """The domains that stand for "a" and "b": the section's, else the dataset's two, by name. Raises UsageError."""
    if section.domains:
        if set(section.domains) != {"a", "b"}:
            raise UsageError(
                f"domains: {', '.join(section.domains)}: must name a and b", "domains: {a: long, b: short}"
            )
        return section.domains
    known = sorted(set(manifest.read(manifest.DATASET, root)["domain"].to_pylist()))
    if len(known) != 2:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: has {len(known)} domains ({', '.join(known) or 'none'}), not two",
            "say which two: --a NAME --b NAME, or train.NAME.data.domains in params.yaml",
        )
    return dict(zip("ab", known, strict=True))


def _content(root: Path, rows: list[dict[str, Any]]) -> list[str]:
    """What tells whether the crops have changed, without reading them."""
    return [f"{row['crop_id']} {_stat(root / row['path'])}" for row in rows]


def _stat(path: Path) -> str:
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise CurateError(f"{path}: missing", "make it again: curate crop") from None
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _decode(root: Path, rows: list[dict[str, Any]], path: Path, name: str, progress: Progress) -> str:
    """Writes the decoded crops of `rows` as one array and returns the digest of names, shape and pixels."""
    side = len(_read(root / rows[0]["path"]))
    digest = hashlib.sha256(f"{side}".encode())
    with manifest.replacing(path) as temporary, progress.task(name, len(rows)) as task:
        pixels = open_memmap(temporary, "w+", np.uint8, (len(rows), side, side, 3))
        for index, row in enumerate(rows):
            crop = _read(root / row["path"])
            if crop.shape != (side, side, 3):
                raise UsageError(
                    f"{root / row['path']}: {crop.shape[1]}x{crop.shape[0]} px, others are {side}x{side}",
                    "cut them all alike: curate crop --size N",
                )
            pixels[index] = crop
            digest.update(row["crop_id"].encode() + crop.tobytes())
            task.advance()
        pixels.flush()
    return digest.hexdigest()


def _read(path: Path) -> images.RGB:
    try:
        return images.decode(path.read_bytes())
    except images.ImageError as error:
        raise CurateError(f"{path}: unreadable: {error}", "delete it and make it again: curate crop") from None
    except OSError as error:
        raise CurateError(f"{path}: {error.strerror or error}", "make it again: curate crop") from None
