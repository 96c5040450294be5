"""Images that don't train, as a recipe translates them: what it is measured on, and what against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import Progress
from curate.train.data import face_masks, paired, transforms, unpaired
from curate.train.data.single import SingleBatches, latents
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Batch
from curate.train.engine.precision import select_device
from curate.train.engine.rng import generator
from curate.train.recipes import RECIPES
from curate.train.runs.config import TrainConfig

MIN_IMAGES = 2  # training images per domain, articles to swap
WHILE_TRAINING = ("val", "train")  # the first of these splits that has as many: those of test are never looked at


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
    ids: Sequence[str]  # of its images: crop_id, pair_id, or seed 0 and so on
    translates: bool = True  # whether what is made keeps anything of its source
    landmarks: Tensor | None = None  # float32 [N, 68, 2], px of its images; NaN where none were found
    mask: str = ""  # the key of where it was painted, for a recipe that paints on its source: render(batch)[mask]

    def sources(self, start: int, stop: int) -> Tensor:
        """Its images, float32 [N, 3, H, W] in [-1, 1]."""
        images: Tensor = self.batch(start, stop)[self.source]
        return images


@dataclass(frozen=True)
class HeldOut:
    """What the images that were held out are translated as."""

    tasks: Mapping[str, TranslationTask]
    split: str  # that they are of

    @property
    def count(self) -> int:
        """Images of the task that has the fewest."""
        return min(task.count for task in self.tasks.values())


def load(config: TrainConfig, root: Path, splits: Sequence[str], *, progress: Progress) -> HeldOut:
    """What a run of `config` translates of the first of `splits` that has MIN_IMAGES of a kind, else of the last.

    `config` is one that leaves nothing open, as a run's config.json holds it. At most run.held_out images of each kind.
    Raises UsageError for domains that the dataset or the config hasn't, and what data.unpaired.load and
    data.paired.load raise.
    """
    keys = RECIPES.resolve(config.recipe).keys(config.model)
    if "human" in keys:
        return pair_tasks(*held_out_pairs(root, splits, progress), config)
    if "b" in keys:
        return unpaired_tasks(root, _domains(config, "ab"), config, splits, masked="face_a" in keys, progress=progress)
    names = config.data.classes or list(_domains(config, "a").values())
    return generated_tasks(root, names, config, splits, progress=progress)


def _domains(config: TrainConfig, keys: str) -> Mapping[str, str]:
    """The domains that stand for `keys`. Raises UsageError where a run's config.json names none."""
    if missing := [key for key in keys if key not in config.data.domains]:
        raise UsageError(
            f"train.{config.recipe}.data.domains: no {missing[0]}", "mend the run's config.json, or train it anew"
        )
    return {key: config.data.domains[key] for key in keys}


def unpaired_tasks(
    root: Path,
    domains: Mapping[str, str],
    config: TrainConfig,
    splits: Sequence[str] = WHILE_TRAINING,
    *,
    masked: bool,
    progress: Progress,
) -> HeldOut:
    """The ways between the domains that the recipe goes, on images of the first of `splits` that has MIN_IMAGES of
    either domain, else of the last.
    """
    model: Any = config.model
    size, device = config.data.size, select_device(config.run.device)
    most, tasks = max(config.run.samples, config.run.held_out), {}
    for split in splits:
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
            label=f"{domains[key]} {split} {size}",
            digest=f"{part.digest} {len(pictures)}",
            batch=partial(_batch, key, pictures, points, size, device),
            ids=part.ids[:most],
            landmarks=part.landmarks[:most] * (size / max(1, part.images.shape[1])),
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


def generated_tasks(
    root: Path,
    names: Sequence[str],
    config: TrainConfig,
    splits: Sequence[str] = WHILE_TRAINING,
    *,
    progress: Progress,
) -> HeldOut:
    """Pictures made of noise, which should look like the images of `names`, of the first of `splits` that has
    MIN_IMAGES of each, else of the last.
    """
    for split in splits:
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
        label=f"{' '.join(names)} {split} {config.data.size}",
        digest=f"{digests} {count}",
        batch=partial(_noise_batch, whole, order, config),
        ids=[f"seed {seed}" for seed in range(count)],
        translates=False,
    )
    return HeldOut({name: task}, split)


def _noise_batch(whole: SingleBatches, order: Sequence[int], config: TrainConfig, start: int, stop: int) -> Batch:
    """Images, their classes, and the noise of seed 0, 1, ... beside each."""
    model: Any = config.model
    images = whole.images(order[start:stop])
    z = latents(range(start, start + len(images["a"])), model.z_dim).to(images["a"].device)
    return {**images, "a": transforms.resize(images["a"], config.data.size), "z": z}


def held_out_pairs(root: Path, splits: Sequence[str], progress: Progress) -> tuple[paired.PairSet, str]:
    """The pairs of the first of `splits` that has two articles to swap, else of the last; and which it is."""
    for split in splits:
        pair_set = paired.load(root, split, progress=progress)
        if len(pair_set.articles) >= MIN_IMAGES:
            break
    return pair_set, split


def pair_tasks(pair_set: paired.PairSet, split: str, config: TrainConfig) -> HeldOut:
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
        label=f"people {split} {config.data.size}x{config.data.width}",
        digest=f"{pair_set.digest} {count}",
        batch=partial(paired.with_next_article, pair_set, config.data, device=select_device(config.run.device)),
        ids=pair_set.ids[:count],
        mask="alpha",
    )
    return HeldOut({name: task}, split)
