"""One run from its settings to its metrics: data, recipe, loop, samples, losses, checkpoints."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipeline import images, manifest
from pipeline.params import override
from pipeline.progress import SILENT, Progress, Task
from train import checkpoint, material
from train.folder import Folder, OnChange
from train.interrupt import interruptible
from train.log import Log
from train.loop import Plan, train
from train.material import Material
from train.meter import Scalars
from train.recipe import Batch, Clock, Recipe
from train.recipes import RECIPES
from train.seeding import seed_of
from train.settings import Settings, device


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
    material: Material
    config: Mapping[str, Any]

    @property
    def steps(self) -> int:
        steps: int = self.config["run"]["steps"]
        return steps


def prepare(settings: Settings, root: Path, *, progress: Progress = SILENT) -> Prepared:
    """Reads and checks what a run needs, and writes nothing but the cache of decoded pictures.

    Raises what material.prepare raises.
    """
    found = material.prepare(settings, root, progress=progress)
    run = settings.run
    steps = run.steps or -(-run.epochs * found.epoch // run.batch)
    settings = replace(settings, run=override(run, "run", steps=steps), data=found.section)
    config = {**settings.as_dict(), **material.describe(found), "versions": checkpoint.versions()}
    return Prepared(settings, found, config)


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
            _threads(wanted.threads),
        ):
            watch = _Watch(recipe, prepared, folder, log, task, start)
            plan = Plan(
                prepared.steps, wanted.seed, wanted.precision, wanted.tick, wanted.checkpoint_every, store, stop
            )
            try:
                train(recipe, watch.batch, plan, watch.tick)
            except KeyboardInterrupt:
                saved = next(reversed(checkpoint.steps(folder.checkpoints)), 0)
                progress.note(f"{path}: saved after step {saved} of {prepared.steps}; the same command goes on")
                raise
    metrics = json.loads(folder.metrics.read_text("utf-8")) if folder.metrics.is_file() else {}
    return Result(str(path), settings.recipe, prepared.steps, prepared.steps - start, metrics, note)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """`count` threads on the CPU within the block; 0: as many as there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        return self.prepared.material.batches(step)

    def tick(self, clock: Clock, scalars: Scalars) -> None:
        """Writes the losses, and now and then the samples; at the end the metrics, too."""
        settings, last = self.prepared.settings.run, clock.step == clock.total
        rates = {f"{name}/lr": o.param_groups[0]["lr"] for name, o in self.recipe.optimizers.items()}
        self.log.write(clock.step, {**scalars, **rates})
        totals = _totals(scalars)
        self.notes = {name: f"{totals[name]:.3g}" for name in self.recipe.optimizers if name in totals}
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
            temporary.write_bytes(images.encode_png(self.prepared.material.picture(self.recipe)))
        with manifest.replacing(target.with_name("latest.png")) as temporary:
            shutil.copyfile(target, temporary)


def _totals(scalars: Scalars) -> dict[str, float]:
    """The losses of each optimiser, summed."""
    totals: dict[str, float] = {}
    for name, value in scalars.items():
        optimizer = name.partition("/")[0]
        totals[optimizer] = totals.get(optimizer, 0.0) + value
    return totals
