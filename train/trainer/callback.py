"""What happens on each tick of a run: progress, losses, samples, how good they are, and what is wrong with it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from typing import Any

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import Progress, Task
from curate.pipeline.imaging import codec, synthetic
from curate.train.engine.contract import Batch, Clock, Recipe
from curate.train.engine.meter import Scalars
from curate.train.evaluation.evaluator import due
from curate.train.runs.config import RunConfig
from curate.train.runs.run_dir import RunDir
from curate.train.trainer import diagnostics
from curate.train.trainer.best_checkpoint import BestCheckpoint
from curate.train.trainer.data_module import DataModule
from curate.train.trainer.estimate import duration
from curate.train.trainer.logger import ScalarLogger
from curate.train.trainer.sample_history import History, pin_preview, thin_samples


class TrainingCallback:
    """What one call of a run leaves in its folder and on the screen. Nothing here changes what is learnt."""

    def __init__(
        self,
        recipe: Recipe,
        config: RunConfig,
        data_module: DataModule,
        run_dir: RunDir,
        logger: ScalarLogger,
        best_checkpoint: BestCheckpoint | None,
        progress: Progress,
        progress_task: Task,
        start: int,
        steps: int,
    ) -> None:
        self.recipe, self.config, self.data_module, self.run_dir = recipe, config, data_module, run_dir
        self.logger, self.best_checkpoint = logger, best_checkpoint
        self.progress, self.progress_task = progress, progress_task
        previews = run_dir.samples / "previews.safetensors"
        self.preview = pin_preview(data_module.preview, previews) if config.samples else None
        self.history = (
            History(run_dir.samples, self.preview, config.sample_every, start, steps) if self.preview else None
        )
        if self.history and not start:
            self.history.add(recipe, 0)
        self.start = start
        self.began = time.monotonic()
        self.before = (start, self.began)  # the last tick
        self.seconds = 0.0  # of training
        self.notes: dict[str, str] = {}
        self.last_diagnosis = ""

    def batch(self, step: int) -> Batch:
        """The batch of `step`; the one before it is done."""
        if step > self.start:
            self.progress_task.advance(1, **self.notes)
        return self.data_module.batches(step)

    def on_tick(self, clock: Clock, scalars: Scalars) -> None:
        """Writes the losses, and now and then the samples and their scores; at the end the metrics, too."""
        last = clock.step == clock.total
        self._note(clock, scalars)
        rates = {f"{name}/lr": o.param_groups[0]["lr"] for name, o in self.recipe.optimizers.items()}
        scores: Mapping[str, float] = {}
        if self.best_checkpoint and (last or due(clock.step, self.config.tick, self.config.measure_every)):
            scores = self.best_checkpoint.evaluator.measure(self.recipe)
        self.logger.write(clock.step, {**scalars, **rates, **scores})
        if self.best_checkpoint and scores:
            self.progress.note(self.best_checkpoint.add(self.recipe, self.logger.measured))
        sampled = last or clock.step % self.config.sample_every < min(self.config.tick, self.config.sample_every)
        self._diagnose(clock.step, write=sampled)
        if sampled:
            self._sample(clock.step)
            self.logger.table()
        if last:
            self.progress_task.advance(1, **self.notes)
            self._finish(clock, scalars)
        self.before = (clock.step, time.monotonic())  # what was done here is no training

    def _note(self, clock: Clock, scalars: Scalars) -> None:
        """What stands beside the progress: images and losses of the last tick, and the time that is left.

        That follows from the whole call, samples and measurements included: one slow tick must not throw it about.
        """
        step, then = self.before
        now = time.monotonic()
        passed = max(now - then, 1e-9)
        self.seconds += passed
        seconds = passed / max(clock.step - step, 1)
        totals = _totals(scalars)
        losses = {name: f"{totals[name]:.3g}" for name in self.recipe.optimizers if name in totals}
        left = duration((now - self.began) / max(clock.step - self.start, 1) * (clock.total - clock.step))
        speed = f"{self.data_module.per_step / seconds:.3g}"
        health = self.notes.get("health", "ok")  # what matters comes first: a narrow terminal cuts the rest
        self.notes = {
            "left": left,
            "health": health,
            **losses,
            "images/s": speed,
        }

    def _diagnose(self, step: int, *, write: bool) -> None:
        """Says in plain words what is wrong, when that has changed, and keeps it in health.txt."""
        troubles = diagnostics.diagnose(self.logger.rows, self.logger.measured)
        text = "\n".join(troubles.values()) or "nothing unusual"
        if text != self.last_diagnosis and (troubles or self.last_diagnosis):
            self.progress.note(f"step {step}: health: {text}")
        if write or text != self.last_diagnosis:
            with atomic_write(self.run_dir.diagnostics_file) as temporary:
                temporary.write_text(f"step {step}\n{text}\n", "utf-8")
        self.last_diagnosis = text
        self.notes["health"] = ",".join(troubles) or "ok"

    def _finish(self, clock: Clock, scalars: Scalars) -> None:
        speed = self.data_module.per_step * (clock.step - self.start) / self.seconds
        metrics: dict[str, Any] = {"steps": clock.step, "images_per_second": round(speed, 2)}
        scores = {k: v for k, v in self.logger.rows[-1].items() if k.startswith("val/")}
        for name, value in {**scalars, **scores}.items():
            group, _, loss = name.partition("/")
            metrics.setdefault(group, {})[loss] = value
        if self.best_checkpoint:
            metrics["best"] = self.best_checkpoint.standing(self.logger.measured)
        with atomic_write(self.run_dir.metrics_file) as temporary:
            temporary.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")

    def _sample(self, step: int) -> None:
        if not (self.preview and self.history):
            return
        target = self.run_dir.samples / f"step-{step:06}.png"
        drawn = codec.encode_png(self.preview.grid(self.recipe, self.preview.batch))
        with atomic_write(target) as temporary:
            temporary.write_bytes(synthetic.marked(drawn, synthetic.xmp(type(self.recipe).__name__, f"step {step}")))
        with atomic_write(target.with_name("latest.png")) as temporary:
            shutil.copyfile(target, temporary)
        thin_samples(self.run_dir.samples, self.config.sample_every)
        self.history.add(self.recipe, step)


def _totals(scalars: Scalars) -> dict[str, float]:
    """The losses of each optimiser, summed."""
    totals: dict[str, float] = {}
    for name, value in scalars.items():
        optimizer = name.partition("/")[0]
        totals[optimizer] = totals.get(optimizer, 0.0) + value
    return totals
