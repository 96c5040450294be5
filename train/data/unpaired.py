"""Two domains of crops: decoded once into a memory-mapped cache, in batches that are a function of the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError, clipped, nearest
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.tables import manifest
from curate.pipeline.tables.provenance import CUT
from curate.train.data import cache, face_masks, transforms
from curate.train.data.config import DataConfig
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Batch
from curate.train.engine.rng import BatchSlice, PerImageRng, generator, to_device

WHOLE_BATCH = BatchSlice()  # one process has all of a step's images


@dataclass(frozen=True)
class Domain:
    """The crops of one domain and split, in crop_id order."""

    name: str
    images: Tensor  # uint8 [N, side, side, 3], memory-mapped, or on a GPU
    digest: str  # of names, shape and pixels
    landmarks: Tensor  # float32 [N, 68, 2], px; NaN where none were found
    ids: Sequence[str] = ()  # crop_id

    def __len__(self) -> int:
        return len(self.images)

    def to_device_if_small(self, device: torch.device | str) -> Domain:
        """The domain with its images on `device`, where they take up at most a quarter of what is free there."""
        return replace(self, images=cache.to_device_if_small(self.images, device))


class UnpairedBatches:
    """Batches of two domains, a pure function of (seed, step).

    An epoch has max(|a|, |b|) images. Within one, a runs through a shuffled order, modulo its own number, and b is
    drawn at random each time, as the official code does it. Batches run on across the ends of epochs. What is drawn for
    an image depends on its number in the run alone: `batch_slice` tells which of a step's images this process has, and
    however many share them, together they are the same.
    """

    def __init__(
        self,
        a: Domain,
        b: Domain,
        config: DataConfig,
        *,
        batch: int,
        seed: int,
        faces: bool = False,
        device: torch.device | str = "cpu",
        batch_slice: BatchSlice = WHOLE_BATCH,
    ) -> None:
        self.a, self.b = a.to_device_if_small(device), b.to_device_if_small(device)
        self.config, self.faces, self.batch, self.seed = config, faces, batch, seed
        self.device, self.batch_slice = device, batch_slice
        self.epoch = max(len(a), len(b))  # images

    def __call__(self, step: int) -> Batch:
        """Step `step`'s images: "a" and "b", float32 [batch * parts, 3, size, size] in [-1, 1].

        With faces, also their masks: "face_a" and "face_b", [batch * parts, 1, size, size] in [0, 1].
        """
        positions = self.batch_slice.positions(step, self.batch)
        rng = PerImageRng([generator(self.seed, "image", position) for position in positions])
        a = torch.stack([shuffled_index(self.seed, position, self.epoch) for position in positions]) % len(self.a)
        b = rng.randint(len(self.b))
        return {**self._prepare("a", self.a, a, rng), **self._prepare("b", self.b, b, rng)}

    def _prepare(self, key: Literal["a", "b"], domain: Domain, indices: Tensor, rng: PerImageRng) -> Batch:
        config, window = self.config, self.config.windows.get(key)
        pictures = to_float(domain.images[to_device(indices, domain.images.device)], self.device)
        if self.faces:
            masks = to_device(face_masks.masks(domain.landmarks[indices], domain.images.shape[1]), self.device)
            pictures = torch.cat([pictures, masks], 1)
        if window:
            cut = transforms.shift_and_zoom(pictures, config.size, window.right, window.down, window.least, rng)
            cut = transforms.mirror(cut, rng.rand() < config.flip)
        else:
            loaded = transforms.resize(pictures, config.load_side)
            cut = transforms.crop_and_flip(loaded, config.size, config.flip, rng)
        if config.grey:
            cut = transforms.grey(cut, rng.rand() < config.grey)
        return {key: cut[:, :3], f"face_{key}": cut[:, 3:].clamp(0.0, 1.0)} if self.faces else {key: cut}


def shuffled_index(seed: int, position: int, length: int) -> Tensor:
    """The image, int64 [], at `position` of a run whose epochs of `length` images are each shuffled anew."""
    epoch, within = divmod(position, length)
    return _shuffled(seed, epoch, length)[within]


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, length: int) -> Tensor:
    return torch.randperm(length, generator=generator(seed, "order", epoch))


def load(root: Path, domain: str, split: str, *, progress: Progress = SILENT) -> Domain:
    """The crops of `domain` in `split`, decoded into processed/cache unless they lie there already.

    Raises UsageError for a domain that does not exist and for crops of unequal size, TableError without a dataset and
    CurateError for a crop that is missing or unreadable.
    """
    table = manifest.accepted(manifest.read(manifest.DATASET, root))
    known = sorted(set(table["domain"].to_pylist()))
    if domain not in known:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: there is no domain '{clipped(domain)}'{nearest(domain, known)}",
            f"domains: {', '.join(known) or 'none'}; name two of them in train.NAME.data.domains",
        )
    rows = [row for row in table.to_pylist() if row["domain"] == domain and row["split"] == split]
    crops = [(row["crop_id"], row["path"]) for row in rows]
    pictures, digest = cache.load_decoded(root, f"{domain}\n{split}", crops, CUT, progress)
    landmarks = face_masks.landmarks([row["landmarks"] for row in rows])
    return Domain(domain, pictures, digest, landmarks, [name for name, _ in crops])


def resolve_domains(root: Path, config: DataConfig) -> Mapping[str, str]:
    """The domains that stand for "a" and "b": the config's, else the dataset's two, by name. Raises UsageError."""
    if config.domains:
        if set(config.domains) != {"a", "b"}:
            raise UsageError(f"domains: {', '.join(config.domains)}: must name a and b", "domains: {a: long, b: short}")
        return config.domains
    known = sorted(set(manifest.accepted(manifest.read(manifest.DATASET, root))["domain"].to_pylist()))
    if len(known) != 2:
        raise UsageError(
            f"{manifest.DATASET.path(root)}: has {len(known)} domains ({', '.join(known) or 'none'}), not two",
            "say which two: --a NAME --b NAME, or train.NAME.data.domains in params.yaml",
        )
    return dict(zip("ab", known, strict=True))
