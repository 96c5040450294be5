"""Shows a run to whoever waits for it: progress, losses, samples, how good they are, how healthy it is."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from typing import Any

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import Progress, Task
from curate.pipeline.imaging import codec
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
from curate.train.trainer.sample_history import History, pin_preview


class TrainingCallback:
    """What one call of a run leaves in its folder and on the screen. Nothing here changes what is learnt."""

    def __init__(
        self,
        recipe: Recipe,
        settings: RunConfig,
        material: DataModule,
        folder: RunDir,
        log: ScalarLogger,
        best: BestCheckpoint | None,
        progress: Progress,
        task: Task,
        start: int,
    ) -> None:
        self.recipe, self.settings, self.material, self.folder = recipe, settings, material, folder
        self.log, self.best, self.progress, self.task = log, best, progress, task
        self.preview = (
            pin_preview(material.preview, folder.samples / "previews.safetensors") if settings.samples else None
        )
        self.history = History(folder.samples, self.preview, settings.sample_every, start) if self.preview else None
        self.start = start
        self.before = (start, time.monotonic())  # the last tick
        self.seconds = 0.0  # of training
        self.notes: dict[str, str] = {}
        self.told = ""

    def batch(self, step: int) -> Batch:
        """The batch of `step`; the one before it is done."""
        if step > self.start:
            self.task.advance(1, **self.notes)
        return self.material.batches(step)

    def tick(self, clock: Clock, scalars: Scalars) -> None:
        """Writes the losses, and now and then the samples and their scores; at the end the metrics, too."""
        settings, last = self.settings, clock.step == clock.total
        self._note(clock, scalars)
        rates = {f"{name}/lr": o.param_groups[0]["lr"] for name, o in self.recipe.optimizers.items()}
        scores: Mapping[str, float] = {}
        if self.best and (last or due(clock.step, settings.tick, settings.measure_every)):
            scores = self.best.evaluator.measure(self.recipe)
        self.log.write(clock.step, {**scalars, **rates, **scores})
        if self.best and scores:
            self.progress.note(self.best.add(self.recipe, self.log.rows))
        shown = last or clock.step % settings.sample_every < min(settings.tick, settings.sample_every)
        self._tell(clock.step, write=shown)
        if shown:
            self._sample(clock.step)
            self.log.table()
        if last:
            self.task.advance(1, **self.notes)
            self._finish(clock, scalars)
        self.before = (clock.step, time.monotonic())  # what was done here is no training

    def _note(self, clock: Clock, scalars: Scalars) -> None:
        """What stands beside the progress: images and losses of the last tick, and the time that is left."""
        step, then = self.before
        passed = max(time.monotonic() - then, 1e-9)
        self.seconds += passed
        seconds = passed / max(clock.step - step, 1)
        totals = _totals(scalars)
        losses = {name: f"{totals[name]:.3g}" for name in self.recipe.optimizers if name in totals}
        left = duration(seconds * (clock.total - clock.step))
        self.notes = {"images/s": f"{self.material.per_step / seconds:.3g}", "left": left, **losses}

    def _tell(self, step: int, *, write: bool) -> None:
        """Says in plain words what is wrong, when that has changed."""
        found = diagnostics.diagnose(self.log.rows)
        text = "\n".join(found.values()) or "nothing unusual"
        if text != self.told and (found or self.told):
            self.progress.note(f"step {step}: health: {text}")
        if write or text != self.told:
            with atomic_write(self.folder.health) as temporary:
                temporary.write_text(f"step {step}\n{text}\n", "utf-8")
        self.told = text
        self.notes["health"] = ",".join(found) or "ok"

    def _finish(self, clock: Clock, scalars: Scalars) -> None:
        speed = self.material.per_step * (clock.step - self.start) / self.seconds
        metrics: dict[str, Any] = {"steps": clock.step, "images_per_second": round(speed, 2)}
        for name, value in {**scalars, **{k: v for k, v in self.log.rows[-1].items() if k.startswith("val/")}}.items():
            group, _, loss = name.partition("/")
            metrics.setdefault(group, {})[loss] = value
        if self.best:
            metrics["best"] = self.best.standing(self.log.rows)
        with atomic_write(self.folder.metrics) as temporary:
            temporary.write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")

    def _sample(self, step: int) -> None:
        if not (self.preview and self.history):
            return
        target = self.folder.samples / f"step-{step:06}.png"
        with atomic_write(target) as temporary:
            temporary.write_bytes(codec.encode_png(self.preview.grid(self.recipe, self.preview.batch)))
        with atomic_write(target.with_name("latest.png")) as temporary:
            shutil.copyfile(target, temporary)
        self.history.add(self.recipe, step)


def _totals(scalars: Scalars) -> dict[str, float]:
    """The losses of each optimiser, summed."""
    totals: dict[str, float] = {}
    for name, value in scalars.items():
        optimizer = name.partition("/")[0]
        totals[optimizer] = totals.get(optimizer, 0.0) + value
    return totals
