"""What a run trains on and is watched by, of either kind: two domains of crops, or Article/Human pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline import manifest
from pipeline.errors import UsageError
from pipeline.images import RGB
from pipeline.params import Crop, CropRules, as_dict, override, parse
from pipeline.progress import SILENT, Progress
from train import augment, data, faces, pairs, samples
from train.data import Data, Domain, Unpaired, to_float
from train.recipe import Batch, Recipe
from train.recipes import RECIPES
from train.settings import Settings, device

LEAST = 2  # training images per domain, articles to swap


@dataclass(frozen=True)
class Material:
    """A run's data, read and checked."""

    batches: Callable[[int], Batch]  # a pure function of the step
    epoch: int  # images
    picture: Callable[[Recipe], RGB]  # what the recipe makes of the held-out images, uint8 [H, W, 3]
    section: Data  # with nothing left open
    dataset: Mapping[str, Mapping[str, Any]]  # what there is of each kind: images, digest
    crop: Mapping[str, CropRules]  # what the crops of "a" and "b" were cut by
    letterbox: Mapping[str, Any] = field(default_factory=dict)  # how the pictures of pairs were boxed


def prepare(settings: Settings, root: Path, *, progress: Progress = SILENT) -> Material:
    """What the batches of `settings.recipe` are made from; the recipe's keys tell which kind it is.

    Writes nothing but the cache of decoded pictures. Raises UsageError for data that are missing or too few, and what
    data.load, pairs.load and settings.device raise.
    """
    keys = RECIPES.resolve(settings.recipe).keys(settings.model)
    return (_pairs if "human" in keys else _unpaired)(settings, root, progress)


def _unpaired(settings: Settings, root: Path, progress: Progress) -> Material:
    domains = data.chosen(root, settings.data)
    place, run = device(settings.run.device), settings.run
    a, b = (_enough(data.load(root, domains[key], "train", progress=progress), run.batch) for key in "ab")
    masked = "face_a" in RECIPES.resolve(settings.recipe).keys(settings.model)
    if masked:
        _faces_known(root, a, b)
    batches = Unpaired(a, b, settings.data, batch=run.batch, seed=run.seed, faces=masked, device=place)
    held_out: dict[str, Tensor] = {}
    for key, name in domains.items():
        pictures, points = _held_out(root, name, run.samples, progress)
        held_out[key] = augment.resize(to_float(pictures, place), settings.data.size)
        if masked:
            drawn = faces.masks(points, pictures.shape[1]).to(place)
            held_out[f"face_{key}"] = augment.resize(drawn, settings.data.size).clamp(0.0, 1.0)
    return Material(
        batches,
        batches.epoch,
        partial(samples.unpaired, held_out=held_out),
        override(settings.data, "data", domains=domains),
        {key: {"images": len(d), "name": d.name, "digest": d.digest} for key, d in (("a", a), ("b", b))},
        _crop_rules(root, domains),
    )


def _pairs(settings: Settings, root: Path, progress: Progress) -> Material:
    place, run = device(settings.run.device), settings.run
    wardrobe = pairs.load(root, "train", progress=progress)
    if len(wardrobe.articles) < LEAST or len(wardrobe) < run.batch:
        raise UsageError(
            f"{manifest.PAIRS.path(root)}: {len(wardrobe)} pairs with {len(wardrobe.articles)} different articles to "
            f"train on, {max(LEAST, run.batch)} pairs with {LEAST} articles are the least",
            "scrape more of them, or lower run.batch; where they went: curate stats",
        )
    batches = pairs.Triplets(wardrobe, settings.data, batch=run.batch, seed=run.seed, device=place)
    shown = pairs.held_out(_held_out_pairs(root, wardrobe, progress), settings.data, run.samples, place)
    dataset = {
        "human": {"images": len(wardrobe), "name": "pairs", "digest": wardrobe.digest},
        "article": {"images": len(wardrobe.articles), "name": "pairs"},
    }
    picture = partial(samples.wardrobe, held_out=shown)
    return Material(batches, batches.epoch, picture, settings.data, dataset, {}, _letterbox(root))


def _enough(domain: Domain, batch: int) -> Domain:
    least = max(LEAST, batch)
    if len(domain) < least:
        raise UsageError(
            f"domain '{domain.name}': {len(domain)} images to train on, {least} are the least",
            "scrape more of it, or lower run.batch; where they went: curate stats",
        )
    return domain


def _faces_known(root: Path, *domains: Domain) -> None:
    """Raises UsageError where masks of faces are wanted and no crop of a domain has landmarks."""
    for domain in domains:
        if domain.landmarks.isnan().all():
            raise UsageError(
                f"{manifest.DATASET.path(root)}: no crop of '{domain.name}' has landmarks to draw its face by",
                "cut it with --align ffhq, or do without: model.face_loss 0, model.face_branch false",
            )


def _held_out(root: Path, domain: str, count: int, progress: Progress) -> tuple[Tensor, Tensor]:
    """Up to `count` images that don't train, uint8, and their landmarks: of val, then of test.

    Training images only where no others are.
    """
    held = [d for d in (data.load(root, domain, split, progress=progress) for split in ("val", "test")) if len(d)]
    held = held or [data.load(root, domain, "train")]
    return torch.cat([d.images for d in held])[:count], torch.cat([d.landmarks for d in held])[:count]


def _held_out_pairs(root: Path, training: pairs.Wardrobe, progress: Progress) -> pairs.Wardrobe:
    """The pairs of test or of val that don't train; the training pairs where neither has two articles to swap."""
    found = (pairs.load(root, split, progress=progress) for split in ("val", "test"))
    return next((wardrobe for wardrobe in found if len(wardrobe.articles) >= LEAST), training)


def _crop_rules(root: Path, domains: Mapping[str, str]) -> dict[str, CropRules]:
    """What the crops of "a" and "b" were cut by, so that a photo to translate is cut alike."""
    made_by = manifest.meta(manifest.CROPS, root).get("section", {}) if manifest.exists(manifest.CROPS, root) else {}
    section = parse(Crop, made_by, "crop")
    return {key: section.rules(name) for key, name in domains.items()}


def _letterbox(root: Path) -> dict[str, Any]:
    """The keys of the section pairs that a photo must be boxed by, to look like those that trained."""
    made_by = manifest.meta(manifest.PAIRS, root).get("section", {})
    return {key: made_by[key] for key in ("size", "background") if key in made_by}


def describe(material: Material) -> dict[str, Any]:
    """The part of a run's config that tells its data apart from others."""
    crop = {key: as_dict(rules) for key, rules in material.crop.items()}
    return {"dataset": dict(material.dataset), "crop": crop, "letterbox": dict(material.letterbox)}
