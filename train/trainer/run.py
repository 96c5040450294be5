"""One run from its settings to its metrics: data, recipe, loop, samples, losses, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from curate.pipeline.core.config import override
from curate.pipeline.core.progress import SILENT, Progress
from curate.train.engine import checkpoint, memory
from curate.train.engine.contract import Clock, Recipe
from curate.train.engine.distributed import ALONE, World
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.meter import Scalars
from curate.train.engine.rng import BatchSlice
from curate.train.evaluation.evaluator import MIN_MEASURED, Evaluator
from curate.train.evaluation.features import extractor
from curate.train.runs.config import TrainConfig, select_device
from curate.train.runs.factory import build
from curate.train.runs.run_dir import OnChange, RunDir
from curate.train.trainer import data_module, finetune
from curate.train.trainer.best_checkpoint import BestCheckpoint
from curate.train.trainer.callback import TrainingCallback
from curate.train.trainer.data_module import DataModule
from curate.train.trainer.interrupt import interruptible
from curate.train.trainer.logger import ScalarLogger


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
class PreparedRun:
    """A run that is ready to start: its settings with nothing left open, its data and its config."""

    settings: TrainConfig
    material: DataModule
    config: Mapping[str, Any]

    @property
    def steps(self) -> int:
        steps: int = self.config["run"]["steps"]
        return steps


def prepare(settings: TrainConfig, root: Path, *, team: World = ALONE, progress: Progress = SILENT) -> PreparedRun:
    """Reads and checks what a run needs, and writes nothing but the cache of decoded pictures.

    Raises what material.prepare raises.
    """
    run = settings.run
    portion = BatchSlice(parts=run.accumulate, rank=team.rank, ranks=team.size)
    found = data_module.build_data_module(settings, root, portion=portion, progress=progress)
    steps = run.steps or -(-run.epochs * found.epoch // (run.batch * run.accumulate * team.size))
    settings = replace(settings, run=override(run, "run", steps=steps), data=found.section)
    config = {**settings.as_dict(), **data_module.describe(found), "versions": checkpoint.versions()}
    return PreparedRun(settings, found, {**config, "processes": team.size})


def run(
    settings: TrainConfig,
    root: Path,
    path: Path,
    *,
    on_change: OnChange = "refuse",
    team: World = ALONE,
    progress: Progress = SILENT,
) -> Result:
    """Trains in the run folder `path`, going on where an earlier call with the same settings stopped.

    A finished run is left as it is. Of a `team`, only the first process writes. Raises UsageError for settings, data
    and folders that don't fit, and for a folder where another process trains; CurateError for a loss that is not
    finite and for memory that runs out; KeyboardInterrupt, after saving, for Ctrl-C.
    """
    folder = RunDir(path)
    with folder.locked() if team.rank == 0 else nullcontext():
        with team.first_alone():
            prepared = prepare(settings, root, team=team, progress=progress)
            note = folder.claim(prepared.config, on_change) if team.rank == 0 else ""
        if note:
            progress.note(note)
        start = next(reversed(checkpoint.steps(folder.checkpoints)), 0)
        if start < prepared.steps:
            _train(prepared, root, folder, start, team, progress)
    metrics = json.loads(folder.metrics.read_text("utf-8")) if folder.metrics.is_file() else {}
    return Result(str(path), settings.recipe, prepared.steps, prepared.steps - start, metrics, note)


def initial_recipe(prepared: PreparedRun, root: Path, start: int = 0, progress: Progress = SILENT) -> Recipe:
    """The recipe as it is trained: with the weights that run.weights names, unless a checkpoint has later ones, and
    without the layers that run.freeze holds. Raises UsageError for either that does not fit.
    """
    settings = prepared.settings
    recipe = build(settings)
    if settings.run.weights and not start:
        for line in finetune.load_initial(recipe, settings.recipe, root / settings.run.weights):
            progress.note(line)
    if held := finetune.freeze(recipe, settings.run.freeze):
        progress.note(f"held: {len(held)} tensors, {held[0]} to {held[-1]}")
    return recipe


def _train(prepared: PreparedRun, root: Path, folder: RunDir, start: int, team: World, progress: Progress) -> None:
    run, steps, batches = prepared.settings.run, prepared.steps, prepared.material.batches
    memory.keep_freed_blocks()
    recipe = initial_recipe(prepared, root, start, progress)
    store = checkpoint.CheckpointManager(folder.checkpoints, prepared.config, run.keep_last)
    with interruptible(progress) as stop, cpu_threads(run.threads), ExitStack() as stack:
        plan = LoopConfig(steps, run.seed, run.modes, run.tick, run.checkpoint_every, store, stop, run.accumulate, team)
        given, on_tick = batches, _ignore
        if team.rank == 0:
            log = stack.enter_context(ScalarLogger(folder.path, start))
            task = stack.enter_context(progress.task(f"train {prepared.settings.recipe}", steps - start))
            best = _best(prepared, root, folder, progress)
            watch = TrainingCallback(recipe, run, prepared.material, folder, log, best, progress, task, start)
            given, on_tick = watch.batch, watch.tick
        try:
            train(recipe, given, plan, on_tick)
            return
        except KeyboardInterrupt:
            saved = next(reversed(checkpoint.steps(folder.checkpoints)), 0)
            progress.note(f"{folder.path}: saved after step {saved} of {steps}; the same command goes on")
            raise
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            cause = error.with_traceback(None)  # with it go the frames, and all that they hold
    fits = memory.largest_batch(recipe, batches, start, steps)
    raise memory.out_of_memory_error(run.batch, min(fits, run.batch), run.accumulate) from cause


def _ignore(clock: Clock, scalars: Scalars) -> None:
    """The first process of a team shows how it goes, the others don't."""


def _best(prepared: PreparedRun, root: Path, folder: RunDir, progress: Progress) -> BestCheckpoint | None:
    """Who measures the run and keeps its best networks; None where run.measure_every is 0, or images are too few."""
    held_out, run = prepared.material.held_out, prepared.settings.run
    if not run.measure_every:
        return None
    if held_out.count < MIN_MEASURED:
        progress.note(f"{held_out.count} held-out images are too few to be measured on: build.val, build.test")
        return None
    if held_out.trained_on:
        progress.note("no images are held out: it is measured on training images, which flatter it")
    net = extractor.load(root / run.features if run.features else None, select_device(run.device))
    evaluator = Evaluator(held_out, net, run.metrics, root)
    return BestCheckpoint(folder.best, prepared.config, evaluator, run.metrics, run.keep_best)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """`count` threads on the CPU within the block; 0: as many as there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
