"""Images that don't train, as a recipe translates them: what it is measured on, and what against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.progress import Progress
from curate.train.data import face_masks, paired, transforms, unpaired
from curate.train.data.single import SingleBatches, latents
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Batch
from curate.train.engine.precision import select_device
from curate.train.engine.rng import generator
from curate.train.runs.config import TrainConfig

MIN_IMAGES = 2  # training images per domain, articles to swap


@dataclass(frozen=True)
class TranslationTask:
    """One way that a recipe translates: `render(batch)[made]` is what it makes of `batch[source]`.

    Where `made` is "", nothing is: its sources are what another task's pictures should look like.
    """

    name: str  # a2b, b2a, swapped; goes into the names of its numbers
    source: str
    made: str
    goal: str  # the task whose sources are what it should look like
    count: int  # images
    label: str  # which images its sources are
    digest: str  # and what they are
    batch: Callable[[int, int], Batch]  # what render is given for the images from one number to another
    translates: bool = True  # whether what is made keeps anything of its source
    mask: str = ""  # the key of where it was painted, for a recipe that paints on its source: render(batch)[mask]

    def sources(self, start: int, stop: int) -> Tensor:
        """Its images, float32 [N, 3, H, W] in [-1, 1]."""
        images: Tensor = self.batch(start, stop)[self.source]
        return images


@dataclass(frozen=True)
class HeldOut:
    """What the images that were held out are translated as: those of val; for want of them those that train."""

    tasks: Mapping[str, TranslationTask]
    split: str  # val or train: those of test are never looked at while training

    @property
    def count(self) -> int:
        """Images of the task that has the fewest."""
        return min(task.count for task in self.tasks.values())


def unpaired_tasks(
    root: Path, domains: Mapping[str, str], config: TrainConfig, *, masked: bool, progress: Progress
) -> HeldOut:
    """The ways between the domains that the recipe goes, on images of val; of train where a domain has fewer than
    MIN_IMAGES there.
    """
    model: Any = config.model
    size, device = config.data.size, select_device(config.run.device)
    most, tasks = max(config.run.samples, config.run.held_out), {}
    for split in ("val", "train"):
        found = {key: unpaired.load(root, domains[key], split, progress=progress) for key in "ab"}
        if min(len(part) for part in found.values()) >= MIN_IMAGES:
            break
    for key, other in ("ab", "ba"):
        part = found[key]
        pictures = part.images[:most]
        points = part.landmarks[:most] if masked else None
        tasks[f"{key}2{other}"] = TranslationTask(
            name=f"{key}2{other}",
            source=key,
            made=f"{key}2{other}" if f"{key}2{other}" in model.directions else "",
            goal=f"{other}2{key}",
            count=len(pictures),
            label=f"{domains[key]} {size}",
            digest=f"{part.digest} {len(pictures)}",
            batch=partial(_batch, key, pictures, points, size, device),
        )
    return HeldOut(tasks, split)


def _batch(
    key: str, pictures: Tensor, points: Tensor | None, size: int, device: torch.device, start: int, stop: int
) -> Batch:
    """Held-out images of a domain as the networks see them, and their faces where there are `points`."""
    chosen = pictures[start:stop]
    batch = {key: transforms.resize(to_float(chosen, device), size)}
    if points is not None:
        drawn = face_masks.masks(points[start:stop], chosen.shape[1]).to(device)
        batch[f"face_{key}"] = transforms.resize(drawn, size).clamp(0.0, 1.0)
    return batch


def generated_tasks(root: Path, names: Sequence[str], config: TrainConfig, *, progress: Progress) -> HeldOut:
    """Pictures made of noise, which should look like the images of val, or of train where there are few, of `names`."""
    for split in ("val", "train"):
        found = [unpaired.load(root, name, split, progress=progress) for name in names]
        if min(map(len, found)) >= MIN_IMAGES:
            break
    whole = SingleBatches(found, config.data, batch=1, seed=0, device=select_device(config.run.device))
    count = min(whole.epoch, max(config.run.samples, config.run.held_out))
    order = torch.randperm(whole.epoch, generator=generator("held out"))[:count].tolist()  # of all classes some
    name, digests = "generated", " ".join(domain.digest for domain in found)
    task = TranslationTask(
        name=name,
        source="a",
        made="image",
        goal=name,
        count=count,
        label=f"{' '.join(names)} {config.data.size}",
        digest=f"{digests} {count}",
        batch=partial(_noise_batch, whole, order, config),
        translates=False,
    )
    return HeldOut({name: task}, split)


def _noise_batch(whole: SingleBatches, order: Sequence[int], config: TrainConfig, start: int, stop: int) -> Batch:
    """Images, their classes, and the noise of seed 0, 1, ... beside each."""
    model: Any = config.model
    images = whole.images(order[start:stop])
    z = latents(range(start, start + len(images["a"])), model.z_dim).to(images["a"].device)
    return {**images, "a": transforms.resize(images["a"], config.data.size), "z": z}


def held_out_pairs(root: Path, training: paired.PairSet, progress: Progress) -> tuple[paired.PairSet, str]:
    """The pairs of val, else those that train, for two articles to swap; and which they are."""
    pair_set = paired.load(root, "val", progress=progress)
    return (pair_set, "val") if len(pair_set.articles) >= MIN_IMAGES else (training, "train")


def pair_tasks(pair_set: paired.PairSet, config: TrainConfig, split: str) -> HeldOut:
    """Everyone of `pair_set`, each in the article after the own one; they should look like people in their own.

    What is compared is what was painted, "repainted" in the names of its numbers.
    """
    name, count = "repainted", min(len(pair_set), config.run.held_out)
    task = TranslationTask(
        name=name,
        source="human",
        made="swapped",
        goal=name,
        count=count,
        label=f"people {config.data.size}x{config.data.width}",
        digest=f"{pair_set.digest} {count}",
        batch=partial(paired.with_next_article, pair_set, config.data, device=select_device(config.run.device)),
        mask="alpha",
    )
    return HeldOut({name: task}, split)
