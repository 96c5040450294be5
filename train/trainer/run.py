"""One run from its config to its metrics: data, recipe, loop, samples, losses, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from curate.pipeline.core import interrupt
from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.config import override
from curate.pipeline.core.confined_path import refuse_link_out
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.progress import SILENT, Progress
from curate.train.engine import checkpoint, memory
from curate.train.engine.contract import Clock, Recipe
from curate.train.engine.distributed import ALONE, World
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.meter import NotFiniteError, Scalars
from curate.train.engine.precision import select_device
from curate.train.engine.rng import BatchSlice
from curate.train.evaluation.evaluator import MIN_MEASURED, Evaluator
from curate.train.evaluation.features import extractor
from curate.train.runs.claim import OnChange, claimed, plan, settle
from curate.train.runs.config import TrainConfig
from curate.train.runs.factory import build
from curate.train.runs.run_dir import RunDir
from curate.train.runs.stored import StoredCheckpoint
from curate.train.trainer import finetune
from curate.train.trainer.best_checkpoint import BestCheckpoint
from curate.train.trainer.callback import TrainingCallback
from curate.train.trainer.data_module import DataModule, build_data_module
from curate.train.trainer.logger import ScalarLogger

STOPPING = "stopping after this step; once more to stop at once, back at the last checkpoint"


@dataclass(frozen=True)
class Result:
    """How a run stands when the command ends."""

    run: str  # its folder
    recipe: str
    steps: int
    trained: int  # steps of this call; 0 when it was finished before
    metrics: Mapping[str, Any]
    note: str = ""  # what became of an older run, or of its settings


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


@at_work(reads=["crops", "pairs", "dataset"])
def run(
    config: TrainConfig,
    root: Path,
    path: Path,
    *,
    on_change: OnChange = "refuse",
    branch_of: StoredCheckpoint | None = None,
    world: World = ALONE,
    progress: Progress = SILENT,
) -> Result:
    """Trains in the run folder `path`, going on where an earlier call with the same config stopped.

    With `branch_of` a new run goes on from that checkpoint. A finished run is left as it is. Nothing that is there is
    moved before all that may be refused has been read, and a new run that ends before its first checkpoint is undone.
    Of the processes of `world`, only the first writes. Raises UsageError for a config, data and folders that don't fit,
    and for a folder where another process trains; CurateError for a loss that is not finite and for memory that runs
    out; ConfinementError for a link that leads out of the root or the folder; KeyboardInterrupt, after saving, for
    Ctrl-C.
    """
    if path.is_relative_to(root):
        refuse_link_out(path, root)
    run_dir, first, claim = RunDir(path), world.rank == 0, None
    with run_dir.locked() if first else nullcontext():
        with world.main_process_first():
            if first and (undone := settle(run_dir)):
                progress.note(undone)
            prepared = prepare(config, root, world=world, progress=progress)
            claim = plan(run_dir, prepared.config_json, on_change, branch_of) if first else None
            if claim and run_dir.is_run:
                run_dir.clear_scraps()
        start = world.from_first(claim.start if claim else 0)
        note = ""
        if not world.from_first(int(claim.finished if claim else 0)):
            prepared = replace(prepared, config_json=claim.config_json) if claim else prepared
            recipe = initial_recipe(prepared.config, root, start, progress)
            best = _best_checkpoint(prepared, root, run_dir, progress) if first else None
            if claim and claim.parent:
                checkpoint.load_weights(recipe, claim.parent)  # before anything is moved: whether they fit
            with claimed(run_dir, claim, progress) if claim else nullcontext("") as note:
                world.from_first(start)  # the others wait for the folder
                _train(prepared, recipe, best, run_dir, start, world, progress, fresh=on_change == "fresh")
    return Result(
        run=str(path),
        recipe=config.recipe,
        steps=prepared.steps,
        trained=prepared.steps - start,
        metrics=_metrics(run_dir),
        note=note,
    )


def _metrics(run_dir: RunDir) -> Mapping[str, Any]:
    """How the run ended; empty where that is not there, or broken."""
    with suppress(FileNotFoundError, ValueError):
        metrics: Mapping[str, Any] = from_json(run_dir.metrics_file.read_text("utf-8"))
        return metrics
    return {}


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


def _train(
    prepared: PreparedRun,
    recipe: Recipe,
    best: BestCheckpoint | None,
    run_dir: RunDir,
    start: int,
    world: World,
    progress: Progress,
    *,
    fresh: bool,
) -> None:
    config, data_module, steps = prepared.config, prepared.data_module, prepared.steps
    memory.keep_freed_blocks()
    with interrupt.deferred(STOPPING) as stop, cpu_threads(config.run.threads), ExitStack() as stack:
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
                best_checkpoint=best,
                progress=progress,
                start=start,
                steps=steps,
            )
            batches, on_tick = callback.batch, callback.on_tick
        try:
            train(recipe, batches, loop_config, on_tick)
            return
        except KeyboardInterrupt:
            saved = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
            state = f"saved after step {saved} of {steps}" if saved else "stopped before anything was saved"
            progress.note(f"{run_dir.path}: {state}; the same command goes on{_unless(fresh, saved)}")
            raise
        except NotFiniteError as error:
            raise NotFiniteError(error.message, _way_on(run_dir, config, fresh=fresh)) from None
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            cause = error.with_traceback(None)  # with it go the frames, and all that they hold
    fits = min(memory.largest_batch(recipe, data_module.batches, start, steps), config.run.batch)
    saved = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
    again = f"the same command{_unless(fresh, saved)} with"
    raise memory.out_of_memory_error(config.run.batch, fits, config.run.accumulate, again) from cause


def _way_on(run_dir: RunDir, config: TrainConfig, *, fresh: bool) -> str:
    """What to type once a loss is no number."""
    saved = next(reversed(checkpoint.steps(run_dir.checkpoints)), 0)
    model: Any = config.model
    options = [f"--set model.lr={model.lr / 2:g}"]
    if config.run.precision != "fp32":
        options.append("--precision fp32")
    where = f"goes on after step {saved}" if saved else "begins anew"
    return f"the same command{_unless(fresh, saved)} with {', or '.join(options)} {where}"


def _unless(fresh: bool, saved: int) -> str:
    """A word on --fresh, which would not go on but begin once more."""
    return " without --fresh" if fresh and saved else ""


def _ignore(clock: Clock, scalars: Scalars) -> None:
    """The first process shows how the run goes, the others don't."""


def _best_checkpoint(prepared: PreparedRun, root: Path, run_dir: RunDir, progress: Progress) -> BestCheckpoint | None:
    """What measures the run and keeps its best networks; None where run.measure_every is 0, or images are too few."""
    config, held_out = prepared.config.run, prepared.data_module.held_out
    if not config.measure_every:
        return None
    if held_out.count < MIN_MEASURED:
        progress.note(f"{held_out.count} images are too few to be measured on: build.val")
        return None
    if held_out.split != "val":
        progress.note(
            "too few images in val: it is measured, and its best chosen, on train, which flatters it: build.val"
        )
    net = extractor.load(config.features, root, select_device(config.device))
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
