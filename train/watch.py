"""Shows a run to whoever waits for it."""

from __future__ import annotations

import json
import shutil
import time
from typing import Any

from pipeline import images, manifest
from pipeline.progress import Task
from train.folder import Folder
from train.log import Log
from train.material import Material
from train.meter import Scalars
from train.recipe import Batch, Clock, Recipe
from train.settings import Run


class Watch:
    """Shows a run to whoever waits for it: progress, losses, sample grids, and the metrics at the end."""

    def __init__(
        self, recipe: Recipe, settings: Run, material: Material, folder: Folder, log: Log, task: Task, start: int
    ) -> None:
        self.recipe, self.settings, self.material, self.folder = recipe, settings, material, folder
        self.log, self.task, self.start, self.since = log, task, start, time.monotonic()
        self.notes: dict[str, str] = {}

    def batch(self, step: int) -> Batch:
        """The batch of `step`; the one before it is done."""
        if step > self.start:
            self.task.advance(1, **self.notes)
        return self.material.batches(step)

    def tick(self, clock: Clock, scalars: Scalars) -> None:
        """Writes the losses, and now and then the samples; at the end the metrics, too."""
        settings, last = self.settings, clock.step == clock.total
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
        if not self.settings.samples:
            return
        target = self.folder.samples / f"step-{step:06}.png"
        with manifest.replacing(target) as temporary:
            temporary.write_bytes(images.encode_png(self.material.picture(self.recipe)))
        with manifest.replacing(target.with_name("latest.png")) as temporary:
            shutil.copyfile(target, temporary)


def _totals(scalars: Scalars) -> dict[str, float]:
    """The losses of each optimiser, summed."""
    totals: dict[str, float] = {}
    for name, value in scalars.items():
        optimizer = name.partition("/")[0]
        totals[optimizer] = totals.get(optimizer, 0.0) + value
    return totals
