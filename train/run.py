"""One run from its settings to its metrics: data, recipe, loop, samples, losses, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.params import override
from pipeline.progress import SILENT, Progress
from train import begin, checkpoint, features, material
from train.assemble import build
from train.best import Best
from train.evaluate import LEAST, Evaluator
from train.folder import Folder, OnChange
from train.interrupt import interruptible
from train.log import Log
from train.loop import Plan, train
from train.material import Material
from train.recipe import Recipe
from train.settings import Settings, device
from train.watch import Watch


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
        recipe = begun(prepared, root, start, progress)
        store = checkpoint.Store(folder.checkpoints, prepared.config, wanted.keep_last)
        with (
            Log(path, start) as log,
            progress.task(f"train {settings.recipe}", prepared.steps - start) as task,
            interruptible(progress) as stop,
            _threads(wanted.threads),
        ):
            best = _best(prepared, root, folder, progress)
            watch = Watch(recipe, wanted, prepared.material, folder, log, best, progress, task, start)
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


def begun(prepared: Prepared, root: Path, start: int = 0, progress: Progress = SILENT) -> Recipe:
    """The recipe as it is trained: with the weights that run.weights names, unless a checkpoint has later ones, and
    without the layers that run.freeze holds. Raises UsageError for either that does not fit.
    """
    settings = prepared.settings
    recipe = build(settings)
    if settings.run.weights and not start:
        for line in begin.load(recipe, settings.recipe, root / settings.run.weights):
            progress.note(line)
    if held := begin.hold(recipe, settings.run.freeze):
        progress.note(f"held: {len(held)} tensors, {held[0]} to {held[-1]}")
    return recipe


def _best(prepared: Prepared, root: Path, folder: Folder, progress: Progress) -> Best | None:
    """Who measures the run and keeps its best networks; None where run.measure_every is 0, or images are too few."""
    held_out, run = prepared.material.held_out, prepared.settings.run
    if not run.measure_every:
        return None
    if held_out.count < LEAST:
        progress.note(f"{held_out.count} held-out images are too few to be measured on: build.val, build.test")
        return None
    if held_out.trained_on:
        progress.note("no images are held out: it is measured on training images, which flatter it")
    net = features.load(root / run.features if run.features else None, device(run.device))
    evaluator = Evaluator(held_out, net, run.metrics, root)
    return Best(folder.best, prepared.config, evaluator, run.metrics, run.keep_best)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """`count` threads on the CPU within the block; 0: as many as there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
