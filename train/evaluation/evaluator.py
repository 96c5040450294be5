"""How good the translations of held-out images are while a run goes on, and when that is measured.

Every number of a feature net carries the net's name: numbers of two nets are never mixed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from curate.pipeline.core.files import atomic_write
from curate.train.data.cache import CACHE
from curate.train.engine.contract import Recipe
from curate.train.evaluation import metrics
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import HeldOut, TranslationTask
from curate.train.evaluation.metrics import METRICS

GROUP = "val"  # of the scalars that come from here: val/kid_standin_a2b
ALWAYS_MEASURED = ("diversity",)  # cheap, and low where all outputs are alike
MIN_MEASURED = 2  # images per task
BATCH = 8  # images at once


def due(step: int, tick: int, every: int) -> bool:
    """Whether a measurement falls into the `tick` steps that end with `step`.

    The first is after `every` steps, and each next one after a fifth more steps than the last, but at least `every`
    later: a pure function of the step, so that a resumed run measures where an uninterrupted one does. 0: never.
    """
    if not every:
        return False
    at = last = every
    while at <= step:
        last, at = at, at + max(every, at // 5)
    return step - tick < last <= step


class Evaluator:
    """Measures a recipe on held-out images. The real images' features are kept in `root`/processed/cache.

    Costs one translation and one pass of the feature net per image and task. Raises CurateError where the cache can't
    be written.
    """

    def __init__(self, held_out: HeldOut, net: FeatureNet, names: Sequence[str], root: Path) -> None:
        self.tasks, self.net, self.root = held_out.tasks, net, root
        self.metrics = tuple(dict.fromkeys((*names, *ALWAYS_MEASURED)))
        self._features: dict[str, Tensor] = {}

    def key(self, metric: str, task: str) -> str:
        """The name of a scalar: val/kid_standin_a2b."""
        return f"{GROUP}/{metric}_{self.net.name}_{task}"

    def measure(self, recipe: Recipe) -> dict[str, float]:
        """Metrics of each task's translations against the images that they should look like, by `key`.

        Beside them val/structure_TASK in [-1, 1], how much of the drawing is kept, and val/change_TASK in [0, 1], the
        mean difference of input and output.
        """
        scalars: dict[str, float] = {}
        for task in self.tasks.values():
            features, structure, change = self._translated(recipe, task)
            scalars |= self._scores(self.real(self.tasks[task.goal]), features, task)
            scalars[f"{GROUP}/structure_{task.name}"] = structure
            scalars[f"{GROUP}/change_{task.name}"] = change
        return scalars

    def untranslated(self) -> dict[str, float]:
        """The same metrics of the inputs as they are: what a translation that does nothing would get."""
        scalars: dict[str, float] = {}
        for task in self.tasks.values():
            if task.goal != task.name:
                scalars |= self._scores(self.real(self.tasks[task.goal]), self.real(task), task)
        return scalars

    def real(self, task: TranslationTask) -> Tensor:
        """Features of the task's sources, float32 [N, d]."""
        if task.name not in self._features:
            self._features[task.name] = self._cached(task)
        return self._features[task.name]

    def _scores(self, real: Tensor, made: Tensor, task: TranslationTask) -> Mapping[str, float]:
        numbers: dict[str, float] = {}
        for metric in self.metrics:
            numbers |= {self.key(name, task.name): n for name, n in METRICS.resolve(metric)(real, made).items()}
        return numbers

    @torch.no_grad()
    def _translated(self, recipe: Recipe, task: TranslationTask) -> tuple[Tensor, float, float]:
        """Features of the translations, and the means of structure and change."""
        features, structures, changes = [], [], []
        for start in range(0, task.count, BATCH):
            batch = task.batch(start, min(start + BATCH, task.count))
            made = recipe.render(batch)[task.made].float()
            features.append(self.net(made))
            structures.append(metrics.structure(batch[task.source], made))
            changes.append(metrics.change(batch[task.source], made))
        return torch.cat(features), torch.cat(structures).mean().item(), torch.cat(changes).mean().item()

    def _cached(self, task: TranslationTask) -> Tensor:
        label, content = (hashlib.sha256(text.encode()).hexdigest() for text in (task.label, task.digest))
        kind = f"features-{self.net.name}-{label[:8]}"
        path = self.root / CACHE / f"{kind}-{content[:8]}{self.net.digest[:8]}.npy"
        try:
            return torch.from_numpy(np.load(path, allow_pickle=False))
        except (FileNotFoundError, ValueError, EOFError):  # not there, or not whole
            pass
        for stale in path.parent.glob(f"{kind}-*"):
            stale.unlink(missing_ok=True)
        starts = range(0, task.count, BATCH)
        features = torch.cat([self.net(task.sources(start, min(start + BATCH, task.count))) for start in starts])
        whole = io.BytesIO()
        np.save(whole, features.numpy(), allow_pickle=False)  # to memory: written to a full disk, it names no cause
        with atomic_write(path) as temporary:
            temporary.write_bytes(whole.getvalue())
        return features
