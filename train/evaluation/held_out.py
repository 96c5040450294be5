"""Images that don't train, as a recipe translates them: what it is measured on, and what against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from curate.pipeline.core.progress import Progress
from curate.train.data import face_masks, paired, transforms, unpaired
from curate.train.data.transforms import to_float
from curate.train.engine.contract import Batch
from curate.train.runs.config import TrainConfig, select_device

MIN_IMAGES = 2  # training images per domain, articles to swap


@dataclass(frozen=True)
class TranslationTask:
    """One way that a recipe translates: `render(batch)[made]` is what it makes of `batch[source]`."""

    name: str  # a2b, b2a, swapped; goes into the names of its numbers
    source: str
    made: str
    goal: str  # the view whose sources are what it should look like
    count: int  # images
    label: str  # which images its sources are
    digest: str  # and what they are
    batch: Callable[[int, int], Batch]  # what render is given for the images from one number to another

    def sources(self, start: int, stop: int) -> Tensor:
        """Its images, float32 [N, 3, H, W] in [-1, 1]."""
        images: Tensor = self.batch(start, stop)[self.source]
        return images


@dataclass(frozen=True)
class HeldOut:
    """Every view of the images that were held out; of training images, where none were."""

    views: Mapping[str, TranslationTask]
    trained_on: bool  # they are training images, for want of others

    @property
    def count(self) -> int:
        """Images of the view that has the fewest."""
        return min(view.count for view in self.views.values())


def unpaired_tasks(
    root: Path, domains: Mapping[str, str], settings: TrainConfig, *, masked: bool, progress: Progress
) -> HeldOut:
    """Both ways between the domains, on images that don't train: of val, then of test.

    On training images only where a domain has no others.
    """
    run, size, place = settings.run, settings.data.size, select_device(settings.run.device)
    most, views, trained_on = max(run.samples, run.held_out), {}, False
    for key, other in ("ab", "ba"):
        parts = [unpaired.load(root, domains[key], split, progress=progress) for split in ("val", "test")]
        parts = [part for part in parts if len(part)]
        trained_on |= not parts
        parts = parts or [unpaired.load(root, domains[key], "train")]
        pictures = torch.cat([part.images[:most] for part in parts])[:most]
        points = torch.cat([part.landmarks for part in parts])[:most] if masked else None
        views[f"{key}2{other}"] = TranslationTask(
            f"{key}2{other}",
            key,
            f"{key}2{other}",
            f"{other}2{key}",
            len(pictures),
            f"{domains[key]} {size}",
            f"{' '.join(part.digest for part in parts)} {len(pictures)}",
            partial(_shown, key, pictures, points, size, place),
        )
    return HeldOut(views, trained_on)


def _shown(
    key: str, pictures: Tensor, points: Tensor | None, size: int, place: torch.device, start: int, stop: int
) -> Batch:
    """Held-out images of a domain as the networks see them, and their faces where there are `points`."""
    taken = pictures[start:stop]
    batch = {key: transforms.resize(to_float(taken, place), size)}
    if points is not None:
        drawn = face_masks.masks(points[start:stop], taken.shape[1]).to(place)
        batch[f"face_{key}"] = transforms.resize(drawn, size).clamp(0.0, 1.0)
    return batch


def held_out_pairs(root: Path, training: paired.PairSet, progress: Progress) -> tuple[paired.PairSet, bool]:
    """The pairs of test or of val that don't train; the training pairs, and that it is them, where neither has two
    articles to swap.
    """
    found = (paired.load(root, split, progress=progress) for split in ("val", "test"))
    held = next((wardrobe for wardrobe in found if len(wardrobe.articles) >= MIN_IMAGES), None)
    return held or training, held is None


def pair_tasks(wardrobe: paired.PairSet, settings: TrainConfig, *, trained_on: bool) -> HeldOut:
    """Everyone of `wardrobe`, each in the article after the own one; they should look like people in their own."""
    run, section = settings.run, settings.data
    name, count = "swapped", min(len(wardrobe), run.held_out)
    view = TranslationTask(
        name,
        "human",
        name,
        name,
        count,
        f"people {section.size}x{section.width}",
        f"{wardrobe.digest} {count}",
        partial(paired.with_next_article, wardrobe, section, device=select_device(run.device)),
    )
    return HeldOut({name: view}, trained_on)
