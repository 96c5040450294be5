"""What a run trains on and is measured on, of either kind: two domains of crops, or Article/Human pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curate.pipeline.core.config import as_dict, override, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.faces.config import CropRules, domain_rules
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.config import Letterbox
from curate.pipeline.tables import manifest
from curate.train.data import paired, unpaired
from curate.train.data.config import DataConfig
from curate.train.data.paired import PairedBatches
from curate.train.data.single import SingleBatches, resolve_single
from curate.train.data.unpaired import WHOLE_BATCH, Domain, UnpairedBatches
from curate.train.engine.contract import Batch, Recipe
from curate.train.engine.precision import select_device
from curate.train.engine.rng import BatchSlice
from curate.train.evaluation.held_out import (
    MIN_IMAGES,
    WHILE_TRAINING,
    HeldOut,
    generated_tasks,
    held_out_pairs,
    pair_tasks,
    unpaired_tasks,
)
from curate.train.recipes import RECIPES
from curate.train.runs.config import TrainConfig
from curate.train.trainer.previews import Preview, generated_grid, member_grid, translation_grid, try_on_grid


@dataclass(frozen=True)
class DataModule:
    """A run's data, read and checked."""

    batches: Callable[[int], Batch]  # a pure function of the step
    epoch: int  # images
    per_step: int  # images of each kind that a step sees, in all processes
    preview: Preview  # what sample grids are made of
    held_out: HeldOut  # what the recipe is measured on
    config: DataConfig  # with nothing left open
    dataset: Mapping[str, Mapping[str, Any]]  # what there is of each kind: images, digest
    crop: Mapping[str, CropRules]  # what the crops of "a" and "b" were cut by
    letterbox: Letterbox | None = None  # what the pictures of pairs were boxed by

    def describe(self) -> dict[str, Any]:
        """The part of a run's config.json that tells its data apart from others."""
        crop = {key: as_dict(rules) for key, rules in self.crop.items()}
        letterbox = as_dict(self.letterbox) if self.letterbox else {}
        return {"dataset": dict(self.dataset), "crop": crop, "letterbox": letterbox}


def build_data_module(
    config: TrainConfig, root: Path, *, batch_slice: BatchSlice = WHOLE_BATCH, progress: Progress = SILENT
) -> DataModule:
    """The data of a run of `config`; the keys of the recipe's batches tell which kind it is.

    `batch_slice` says which of each step's images this process has. Writes nothing but the cache of decoded pictures.
    Raises UsageError for data that are missing or too few, and what data.unpaired.load, data.paired.load and
    runs.config.select_device raise.
    """
    keys = RECIPES.resolve(config.recipe).keys(config.model)
    make = _paired if "human" in keys else _unpaired if "b" in keys else _single
    return make(config, root, batch_slice, progress)


def _unpaired(config: TrainConfig, root: Path, batch_slice: BatchSlice, progress: Progress) -> DataModule:
    domains = unpaired.resolve_domains(root, config.data)
    batch, seed, device = config.run.batch, config.run.seed, select_device(config.run.device)
    a, b = (_enough(unpaired.load(root, domains[key], "train", progress=progress), batch) for key in "ab")
    masked = "face_a" in RECIPES.resolve(config.recipe).keys(config.model)
    if masked:
        _check_landmarks(root, a, b)
    batches = UnpairedBatches(
        a, b, config.data, batch=batch, seed=seed, faces=masked, device=device, batch_slice=batch_slice
    )
    held_out = unpaired_tasks(root, domains, config, masked=masked, progress=progress)
    tasks = held_out.tasks.values()
    model: Any = config.model
    draw: Callable[[Recipe, Batch], RGB] = translation_grid
    if len(model.directions) == 1:
        draw = partial(member_grid, way=model.directions[0], members=model.members)
    previewed = {k: v for task in tasks for k, v in task.batch(0, max(1, config.run.samples)).items()}
    return DataModule(
        batches=batches,
        epoch=batches.epoch,
        per_step=batch * batch_slice.parts * batch_slice.ranks,
        preview=Preview(previewed, draw, {task.made: (task.source, slice(None)) for task in tasks if task.made}),
        held_out=held_out,
        config=override(config.data, "data", domains=domains),
        dataset={key: {"images": len(d), "name": d.name, "digest": d.digest} for key, d in (("a", a), ("b", b))},
        crop=_crop_rules(root, domains),
    )


def _single(config: TrainConfig, root: Path, batch_slice: BatchSlice, progress: Progress) -> DataModule:
    named, names = resolve_single(root, config.data)
    batch, device, model = config.run.batch, select_device(config.run.device), config.model
    labels: int = getattr(model, "labels", 0)
    if labels != (len(names) if len(names) > 1 else 0):
        raise UsageError(
            f"train.{config.recipe}.model.labels: {labels}: there are {len(names)} classes ({', '.join(names)})",
            "set it to the number of data.classes, or to 0 for one domain",
        )
    domains = [_enough(unpaired.load(root, name, "train", progress=progress), batch) for name in names]
    batches = SingleBatches(
        domains, config.data, batch=batch, seed=config.run.seed, device=device, batch_slice=batch_slice
    )
    held_out = generated_tasks(root, names, config, progress=progress)
    (task,) = held_out.tasks.values()
    previewed = task.batch(0, max(1, config.run.samples))
    return DataModule(
        batches=batches,
        epoch=batches.epoch,
        per_step=batch * batch_slice.parts * batch_slice.ranks,
        preview=Preview(previewed, generated_grid, {task.made: (task.source, slice(None))}),
        held_out=held_out,
        config=override(config.data, "data", domains=named),
        dataset={f"a{k or ''}": {"images": len(d), "name": d.name, "digest": d.digest} for k, d in enumerate(domains)},
        crop=_crop_rules(root, named),
    )


def _paired(config: TrainConfig, root: Path, batch_slice: BatchSlice, progress: Progress) -> DataModule:
    batch, seed, device = config.run.batch, config.run.seed, select_device(config.run.device)
    training = paired.load(root, "train", progress=progress)
    if len(training.articles) < MIN_IMAGES or len(training) < batch:
        raise UsageError(
            f"{manifest.PAIRS.path(root)}: {len(training)} pairs with {len(training.articles)} different articles to "
            f"train on, {max(MIN_IMAGES, batch)} pairs with {MIN_IMAGES} articles are the least",
            _more("them", batch),
        )
    batches = PairedBatches(training, config.data, batch=batch, seed=seed, device=device, batch_slice=batch_slice)
    pair_set, split = held_out_pairs(root, WHILE_TRAINING, progress)
    previewed = paired.all_combinations(pair_set, config.data, config.run.samples, device)
    people = math.isqrt(len(previewed["human"]))
    turns = [(i + 1) % people * people + i for i in range(people)]  # person i in the next one's article
    return DataModule(
        batches=batches,
        epoch=batches.epoch,
        per_step=batch * batch_slice.parts * batch_slice.ranks,
        preview=Preview(previewed, try_on_grid, {"swapped": ("human", turns)}),
        held_out=pair_tasks(pair_set, split, config),
        config=config.data,
        dataset={
            "human": {"images": len(training), "name": "pairs", "digest": training.digest},
            "article": {"images": len(training.articles), "name": "pairs"},
        },
        crop={},
        letterbox=_letterbox(root),
    )


def _more(what: str, batch: int) -> str:
    """What to do about too little to train on; a batch is only worth lowering where it asks for more than the least."""
    lower = f", or lower run.batch to {MIN_IMAGES}" if batch > MIN_IMAGES else ""
    return f"scrape more of {what}{lower}; where they went: curate stats"


def _enough(domain: Domain, batch: int) -> Domain:
    least = max(MIN_IMAGES, batch)
    if len(domain) < least:
        raise UsageError(
            f"domain '{domain.name}': {len(domain)} images to train on, {least} are the least",
            _more("it", batch),
        )
    return domain


def _check_landmarks(root: Path, *domains: Domain) -> None:
    """Raises UsageError where masks of faces are wanted and no crop of a domain has landmarks."""
    for domain in domains:
        if domain.landmarks.isnan().all():
            raise UsageError(
                f"{manifest.DATASET.path(root)}: no crop of '{domain.name}' has landmarks to draw its face by",
                "cut it with --align ffhq, or do without: model.face_weight 0, model.face_branch false",
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
