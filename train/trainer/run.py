"""One run from its config to its metrics: data, recipe, loop, samples, losses, checkpoints."""

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
from curate.train.engine.precision import select_device
from curate.train.engine.rng import BatchSlice
from curate.train.evaluation.evaluator import MIN_MEASURED, Evaluator
from curate.train.evaluation.features import extractor
from curate.train.runs.config import TrainConfig
from curate.train.runs.factory import build
from curate.train.runs.run_dir import OnChange, RunDir
from curate.train.trainer import finetune
from curate.train.trainer.best_checkpoint import BestCheckpoint
from curate.train.trainer.callback import TrainingCallback
from curate.train.trainer.data_module import DataModule, build_data_module
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
    """A run that is ready to start."""

    config: TrainConfig  # with nothing left open
    data_module: DataModule
    config_json: Mapping[str, Any]  # what its folder's config.json will hold

    @property
    def steps(self) -> int:
        """How many steps the run has in all."""
        steps: int = self.config_json["run"]["steps"]
        return steps


def prepare(config: TrainConfig, root: Path, *, world: World = ALONE, progress: Progress = SILENT) -> PreparedRun:
    """Reads and checks what a run needs, and writes nothing but the cache of decoded pictures.

    Raises what trainer.data_module.build_data_module raises.
    """
    batch_slice = BatchSlice(parts=config.run.accumulate, rank=world.rank, ranks=world.size)
    data_module = build_data_module(config, root, batch_slice=batch_slice, progress=progress)
    steps = config.run.steps or -(-config.run.epochs * data_module.epoch // data_module.per_step)
    config = replace(config, run=override(config.run, "run", steps=steps), data=data_module.config)
    config_json = {**config.as_dict(), **data_module.describe(), "versions": checkpoint.versions()}
    return PreparedRun(config, data_module, {**config_json, "processes": world.size})


def run(
    config: TrainConfig,
    root: Path,
    path: Path,
    *,
    on_change: OnChange = "refuse",
    world: World = ALONE,
    progress: Progress = SILENT,
) -> Result:
    """Trains in the run folder `path`, going on where an earlier call with the same config stopped.

    A finished run is left as it is. Of the processes of `world`, only the first writes. Raises UsageError for a config,
    data and folders that don't fit, and for a folder where another process trains; CurateError for a loss that is not
    finite and for memory that runs out; KeyboardInterrupt, after saving, for Ctrl-C.
    """
    run_dir = RunDir(path)
    with run_dir.locked() if world.rank == 0 else nullcontext():
        with world.main_process_first():
            prepared = prepare(config, root, world=world, progress=progress)
            note = run_dir.claim(prepared.config_json, on_change) if world.rank == 0 else ""
        if note:
            progress.note(note)
        start = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
        if start < prepared.steps:
            _train(prepared, root, run_dir, start, world, progress)
    metrics = json.loads(run_dir.metrics_file.read_text("utf-8")) if run_dir.metrics_file.is_file() else {}
    return Result(
        run=str(path),
        recipe=config.recipe,
        steps=prepared.steps,
        trained=prepared.steps - start,
        metrics=metrics,
        note=note,
    )


def initial_recipe(config: TrainConfig, root: Path, start: int = 0, progress: Progress = SILENT) -> Recipe:
    """The recipe as it is trained: with the weights that run.weights names, unless it goes on after step `start`, where
    a checkpoint has later ones, and without gradients for the layers that run.freeze names.

    Raises UsageError for either that does not fit.
    """
    recipe = build(config)
    if config.run.weights and not start:
        for line in finetune.load_initial(recipe, config.recipe, root / config.run.weights):
            progress.note(line)
    if frozen := finetune.freeze(recipe, config.run.freeze):
        progress.note(f"held: {len(frozen)} tensors, {frozen[0]} to {frozen[-1]}")
    return recipe


def _train(prepared: PreparedRun, root: Path, run_dir: RunDir, start: int, world: World, progress: Progress) -> None:
    config, data_module, steps = prepared.config, prepared.data_module, prepared.steps
    memory.keep_freed_blocks()
    recipe = initial_recipe(config, root, start, progress)
    with interruptible(progress) as stop, cpu_threads(config.run.threads), ExitStack() as stack:
        loop_config = LoopConfig(
            steps=steps,
            seed=config.run.seed,
            precision=config.run.make_precision(),
            tick=config.run.tick,
            checkpoint_every=config.run.checkpoint_every,
            checkpoints=checkpoint.CheckpointManager(run_dir.checkpoints, prepared.config_json, config.run.keep_last),
            stop=stop,
            accumulate=config.run.accumulate,
            world=world,
        )
        batches, on_tick = data_module.batches, _ignore
        if world.rank == 0:
            callback = TrainingCallback(
                recipe=recipe,
                config=config.run,
                data_module=data_module,
                run_dir=run_dir,
                logger=stack.enter_context(ScalarLogger(run_dir.path, start)),
                progress_task=stack.enter_context(progress.task(f"train {config.recipe}", steps - start)),
                best_checkpoint=_best_checkpoint(prepared, root, run_dir, progress),
                progress=progress,
                start=start,
            )
            batches, on_tick = callback.batch, callback.on_tick
        try:
            train(recipe, batches, loop_config, on_tick)
            return
        except KeyboardInterrupt:
            saved = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
            progress.note(f"{run_dir.path}: saved after step {saved} of {steps}; the same command goes on")
            raise
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            cause = error.with_traceback(None)  # with it go the frames, and all that they hold
    fits = memory.largest_batch(recipe, data_module.batches, start, steps)
    raise memory.out_of_memory_error(config.run.batch, min(fits, config.run.batch), config.run.accumulate) from cause


def _ignore(clock: Clock, scalars: Scalars) -> None:
    """The first process shows how the run goes, the others don't."""


def _best_checkpoint(prepared: PreparedRun, root: Path, run_dir: RunDir, progress: Progress) -> BestCheckpoint | None:
    """What measures the run and keeps its best networks; None where run.measure_every is 0, or images are too few."""
    config, held_out = prepared.config.run, prepared.data_module.held_out
    if not config.measure_every:
        return None
    if held_out.count < MIN_MEASURED:
        progress.note(f"{held_out.count} held-out images are too few to be measured on: build.val, build.test")
        return None
    if held_out.trained_on:
        progress.note("no images are held out: it is measured on training images, which flatter it")
    net = extractor.load(root / config.features if config.features else None, select_device(config.device))
    evaluator = Evaluator(held_out, net, config.metrics, root)
    return BestCheckpoint(run_dir.best, prepared.config_json, evaluator, config.metrics, config.keep_best)


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """`count` threads on the CPU within the block; 0: as many as there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
