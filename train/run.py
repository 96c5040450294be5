"""One run from its settings to its metrics: data, recipe, loop, samples, losses, checkpoints."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipeline import images, manifest
from pipeline.errors import UsageError
from pipeline.params import Crop, CropRules, as_dict, override, parse
from pipeline.progress import SILENT, Progress, Task
from train import augment, checkpoint, samples
from train.data import Domain, Unpaired, chosen, load, to_float
from train.folder import Folder, OnChange
from train.interrupt import interruptible
from train.log import Log
from train.loop import Plan, train
from train.meter import Scalars
from train.recipe import Batch, Clock, Recipe
from train.recipes import RECIPES
from train.seeding import seed_of
from train.settings import Settings, device

LEAST = 2  # training images per domain


@dataclass(frozen=True)
class Result:
    """How a run stands when the command ends."""

    run: str  # its folder
    recipe: str
    steps: int
    trained: int  # steps of this call; 0 when it was finished before
    metrics: Mapping[str, Any]
    note: str = ""  # what became of an older run


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: its settings with nothing left open, its data and its config."""

    settings: Settings
    batches: Unpaired
    held_out: Batch  # what the sample grids show; no rows when samples is 0
    config: Mapping[str, Any]

    @property
    def steps(self) -> int:
        steps: int = self.config["run"]["steps"]
        return steps


def prepare(settings: Settings, root: Path, *, progress: Progress = SILENT) -> Prepared:
    """Reads and checks what a run needs, and writes nothing but the cache of decoded crops.

    Raises UsageError for domains that are missing or too small, and what data.load and settings.device raise.
    """
    domains = chosen(root, settings.data)
    place = device(settings.run.device)
    a, b = (_enough(load(root, domains[key], "train", progress=progress), settings) for key in "ab")
    run = settings.run
    batches = Unpaired(a, b, settings.data, batch=run.batch, seed=run.seed, device=place)
    steps = run.steps or -(-run.epochs * batches.epoch // run.batch)
    settings = replace(
        settings, run=override(run, "run", steps=steps), data=override(settings.data, "data", domains=domains)
    )
    config = {
        **settings.as_dict(),
        "dataset": {key: {"images": len(d), "digest": d.digest} for key, d in (("a", a), ("b", b))},
        "crop": {key: as_dict(rules) for key, rules in _crop_rules(root, domains).items()},
        "versions": checkpoint.versions(),
    }
    held_out = {
        key: augment.resize(to_float(_held_out(root, name, run.samples, progress), place), settings.data.size)
        for key, name in domains.items()
    }
    return Prepared(settings, batches, held_out, config)


def build(settings: Settings) -> Recipe:
    """The recipe with its first weights, which depend on run.seed alone, on the device that run.device asks for."""
    torch.manual_seed(seed_of(settings.run.seed, "init"))
    recipe: Any = RECIPES.resolve(settings.recipe)(settings.model)
    placed: Recipe = recipe.to(device(settings.run.device))
    return placed


def networks(recipe: Any) -> dict[str, int]:
    """The parts of a recipe that have parameters, and how many."""
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in recipe.named_children()}
    return {name: count for name, count in counts.items() if count}


def run(
    settings: Settings, root: Path, path: Path, *, on_change: OnChange = "refuse", progress: Progress = SILENT
) -> Result:
    """Trains in the run folder `path`, going on where an earlier call with the same settings stopped.

    A finished run is left as it is. Raises UsageError for settings, data and folders that don't fit, CurateError for a
    loss that is not finite and KeyboardInterrupt, after saving, for Ctrl-C.
    """
    prepared = prepare(settings, root, progress=progress)
    folder, wanted = Folder(path), prepared.settings.run
    note = folder.claim(prepared.config, on_change)
    if note:
        progress.note(note)
    start = next(reversed(checkpoint.steps(folder.checkpoints)), 0)
    if start < prepared.steps:
        recipe = build(prepared.settings)
        store = checkpoint.Store(folder.checkpoints, prepared.config, wanted.keep_last)
        with (
            Log(path, start) as log,
            progress.task(f"train {settings.recipe}", prepared.steps - start) as task,
            interruptible(progress) as stop,
        ):
            watch = _Watch(recipe, prepared, folder, log, task, start)
            plan = Plan(
                prepared.steps, wanted.seed, wanted.precision, wanted.tick, wanted.checkpoint_every, store, stop
            )
            train(recipe, watch.batch, plan, watch.tick)
    metrics = json.loads(folder.metrics.read_text("utf-8")) if folder.metrics.is_file() else {}
    return Result(str(path), settings.recipe, prepared.steps, prepared.steps - start, metrics, note)


class _Watch:
    """Shows a run to whoever waits for it: progress, losses, sample grids, and the metrics at the end."""

    def __init__(self, recipe: Recipe, prepared: Prepared, folder: Folder, log: Log, task: Task, start: int) -> None:
        self.recipe, self.prepared, self.folder, self.log, self.task = recipe, prepared, folder, log, task
        self.start, self.since = start, time.monotonic()
        self.notes: dict[str, str] = {}

    def batch(self, step: int) -> Batch:
        """The batch of `step`; the one before it is done."""
        if step > self.start:
            self.task.advance(1, **self.notes)
        return self.prepared.batches(step)

    def tick(self, clock: Clock, scalars: Scalars) -> None:
        """Writes the losses, and now and then the samples; at the end the metrics, too."""
        settings, last = self.prepared.settings.run, clock.step == clock.total
        rates = {f"{name}/lr": o.param_groups[0]["lr"] for name, o in self.recipe.optimizers.items()}
        self.log.write(clock.step, {**scalars, **rates})
        self.notes = {name: f"{total:.3g}" for name, total in _totals(scalars).items()}
        if last or clock.step % settings.sample_every < min(settings.tick, settings.sample_every):
            self._sample(clock.step)
            self.log.table()
        if last:
            self.task.advance(1, **self.notes)
            seconds = max(time.monotonic() - self.since, 1e-9)
            speed = settings.batch * (clock.step - self.start) / seconds
            metrics: dict[str, Any] = {"steps": clock.step, "images_per_second": round(speed, 2)}
            for name, value in scalars.items():
                optimizer, _, loss = name.partition("/")
                metrics.setdefault(optimizer, {})[loss] = value
            with manifest.replacing(self.folder.metrics) as temporary:
                temporary.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")

    def _sample(self, step: int) -> None:
        if not self.prepared.settings.run.samples:
            return
        target = self.folder.samples / f"step-{step:06}.png"
        with manifest.replacing(target) as temporary:
            temporary.write_bytes(images.encode_png(samples.unpaired(self.recipe, self.prepared.held_out)))
        with manifest.replacing(target.with_name("latest.png")) as temporary:
            shutil.copyfile(target, temporary)


def _totals(scalars: Scalars) -> dict[str, float]:
    """The losses of each optimiser, summed."""
    totals: dict[str, float] = {}
    for name, value in scalars.items():
        optimizer = name.partition("/")[0]
        totals[optimizer] = totals.get(optimizer, 0.0) + value
    return totals


def _enough(domain: Domain, settings: Settings) -> Domain:
    least = max(LEAST, settings.run.batch)
    if len(domain) < least:
        raise UsageError(
            f"domain '{domain.name}': {len(domain)} images to train on, {least} are the least",
            "scrape more of it, or lower run.batch; where they went: curate stats",
        )
    return domain


def _held_out(root: Path, domain: str, count: int, progress: Progress) -> torch.Tensor:
    """Up to `count` images that don't train, uint8: of val, then of test; training images only where no others are."""
    held = [d.images for d in (load(root, domain, split, progress=progress) for split in ("val", "test")) if len(d)]
    return (torch.cat(held) if held else load(root, domain, "train").images)[:count]


def _crop_rules(root: Path, domains: Mapping[str, str]) -> dict[str, CropRules]:
    """What the crops of "a" and "b" were cut by, so that a photo to translate is cut alike."""
    made_by = manifest.meta(manifest.CROPS, root).get("section", {}) if manifest.exists(manifest.CROPS, root) else {}
    section = parse(Crop, made_by, "crop")
    return {key: section.rules(name) for key, name in domains.items()}
