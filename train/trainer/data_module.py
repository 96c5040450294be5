"""What a run trains on and is watched by, of either kind: two domains of crops, or Article/Human pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.config import as_dict, override, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.faces.config import CropRules, domain_rules
from curate.pipeline.imaging.config import Letterbox
from curate.pipeline.tables import manifest
from curate.train.data import paired, unpaired
from curate.train.data.config import DataConfig
from curate.train.data.unpaired import WHOLE_BATCH, Domain, UnpairedBatches
from curate.train.engine.contract import Batch
from curate.train.engine.rng import BatchSlice
from curate.train.evaluation import held_out
from curate.train.evaluation.held_out import MIN_IMAGES, HeldOut
from curate.train.recipes import RECIPES
from curate.train.runs.config import TrainConfig, select_device
from curate.train.trainer.previews import Preview, translation_grid, try_on_grid


@dataclass(frozen=True)
class DataModule:
    """A run's data, read and checked."""

    batches: Callable[[int], Batch]  # a pure function of the step
    epoch: int  # images
    per_step: int  # images of each kind that a step sees, in all processes
    preview: Preview  # what sample grids are made of
    held_out: HeldOut  # what the recipe is measured on
    section: DataConfig  # with nothing left open
    dataset: Mapping[str, Mapping[str, Any]]  # what there is of each kind: images, digest
    crop: Mapping[str, CropRules]  # what the crops of "a" and "b" were cut by
    letterbox: Letterbox | None = None  # what the pictures of pairs were boxed by


def build_data_module(
    settings: TrainConfig, root: Path, *, portion: BatchSlice = WHOLE_BATCH, progress: Progress = SILENT
) -> DataModule:
    """What the batches of `settings.recipe` are made from; the recipe's keys tell which kind it is.

    `portion` says which of each step's images this process has.

    Writes nothing but the cache of decoded pictures. Raises UsageError for data that are missing or too few, and what
    data.load, pairs.load and settings.device raise.
    """
    keys = RECIPES.resolve(settings.recipe).keys(settings.model)
    return (_pairs if "human" in keys else _unpaired)(settings, root, portion, progress)


def _unpaired(settings: TrainConfig, root: Path, portion: BatchSlice, progress: Progress) -> DataModule:
    domains = unpaired.resolve_domains(root, settings.data)
    place, run = select_device(settings.run.device), settings.run
    a, b = (_enough(unpaired.load(root, domains[key], "train", progress=progress), run.batch) for key in "ab")
    masked = "face_a" in RECIPES.resolve(settings.recipe).keys(settings.model)
    if masked:
        _faces_known(root, a, b)
    batches = UnpairedBatches(
        a, b, settings.data, batch=run.batch, seed=run.seed, faces=masked, device=place, portion=portion
    )
    measured = held_out.unpaired_tasks(root, domains, settings, masked=masked, progress=progress)
    shown = {k: v for view in measured.views.values() for k, v in view.batch(0, max(1, run.samples)).items()}
    return DataModule(
        batches,
        batches.epoch,
        run.batch * portion.parts * portion.ranks,
        Preview(shown, translation_grid, {view.made: (view.source, slice(None)) for view in measured.views.values()}),
        measured,
        override(settings.data, "data", domains=domains),
        {key: {"images": len(d), "name": d.name, "digest": d.digest} for key, d in (("a", a), ("b", b))},
        _crop_rules(root, domains),
    )


def _pairs(settings: TrainConfig, root: Path, portion: BatchSlice, progress: Progress) -> DataModule:
    place, run = select_device(settings.run.device), settings.run
    worn = paired.load(root, "train", progress=progress)
    if len(worn.articles) < MIN_IMAGES or len(worn) < run.batch:
        raise UsageError(
            f"{manifest.PAIRS.path(root)}: {len(worn)} pairs with {len(worn.articles)} different articles to "
            f"train on, {max(MIN_IMAGES, run.batch)} pairs with {MIN_IMAGES} articles are the least",
            "scrape more of them, or lower run.batch; where they went: curate stats",
        )
    batches = paired.PairedBatches(worn, settings.data, batch=run.batch, seed=run.seed, device=place, portion=portion)
    rest, trained_on = held_out.held_out_pairs(root, worn, progress)
    shown = paired.all_combinations(rest, settings.data, run.samples, place)
    people = math.isqrt(len(shown["human"]))
    turns = [(i + 1) % people * people + i for i in range(people)]  # person i in the next one's article
    preview = Preview(shown, try_on_grid, {"swapped": ("human", turns)})
    dataset = {
        "human": {"images": len(worn), "name": "pairs", "digest": worn.digest},
        "article": {"images": len(worn.articles), "name": "pairs"},
    }
    return DataModule(
        batches,
        batches.epoch,
        run.batch * portion.parts * portion.ranks,
        preview,
        held_out.pair_tasks(rest, settings, trained_on=trained_on),
        settings.data,
        dataset,
        {},
        _letterbox(root),
    )


def _enough(domain: Domain, batch: int) -> Domain:
    least = max(MIN_IMAGES, batch)
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


def _crop_rules(root: Path, domains: Mapping[str, str]) -> dict[str, CropRules]:
    """What the crops of "a" and "b" were cut by, so that a photo to translate is cut alike."""
    made_by = manifest.meta(manifest.CROPS, root).get("section", {}) if manifest.exists(manifest.CROPS, root) else {}
    return {key: domain_rules(made_by, name) for key, name in domains.items()}


def _letterbox(root: Path) -> Letterbox:
    """What the pictures of pairs were boxed by, so that a photo to translate is boxed alike."""
    made_by = manifest.meta(manifest.PAIRS, root).get("section", {})
    own = {key: made_by[key] for key in Letterbox.__struct_fields__ if key in made_by}
    return parse(Letterbox, own, "pairs")


def describe(material: DataModule) -> dict[str, Any]:
    """The part of a run's config that tells its data apart from others."""
    crop = {key: as_dict(rules) for key, rules in material.crop.items()}
    letterbox = as_dict(material.letterbox) if material.letterbox else {}
    return {"dataset": dict(material.dataset), "crop": crop, "letterbox": letterbox}
