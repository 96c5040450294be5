"""How good the translations of held-out images are while a run goes on, and when that is measured.

Every number of a feature net carries the net's name: numbers of two nets are never mixed.
"""

from __future__ import annotations

import hashlib
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
ALWAYS = ("diversity",)  # cheap, and what tells of a collapse
MIN_MEASURED = 2  # images per view
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

    Costs one translation and one pass of the feature net per image and view. Raises CurateError where the cache can't
    be written.
    """

    def __init__(self, held_out: HeldOut, net: FeatureNet, names: Sequence[str], root: Path) -> None:
        self.views, self.net, self.root = held_out.views, net, root
        self.metrics = tuple(dict.fromkeys((*names, *ALWAYS)))
        self._features: dict[str, Tensor] = {}

    def key(self, metric: str, view: str) -> str:
        """The name of a scalar: val/kid_standin_a2b."""
        return f"{GROUP}/{metric}_{self.net.name}_{view}"

    def measure(self, recipe: Recipe) -> dict[str, float]:
        """Metrics of each view's translations against the images that they should look like, by `key`.

        Beside them val/structure_VIEW in [-1, 1], how much of the drawing is kept, and val/change_VIEW in [0, 1], the
        mean difference of input and output.
        """
        found: dict[str, float] = {}
        for view in self.views.values():
            features, kept, changed = self._translated(recipe, view)
            found |= self._compared(self.real(self.views[view.goal]), features, view)
            found[f"{GROUP}/structure_{view.name}"] = kept
            found[f"{GROUP}/change_{view.name}"] = changed
        return found

    def untranslated(self) -> dict[str, float]:
        """The same metrics of the inputs as they are: what a translation that does nothing would get."""
        found: dict[str, float] = {}
        for view in self.views.values():
            if view.goal != view.name:
                found |= self._compared(self.real(self.views[view.goal]), self.real(view), view)
        return found

    def real(self, view: TranslationTask) -> Tensor:
        """Features of the view's sources, float32 [N, d]."""
        if view.name not in self._features:
            self._features[view.name] = self._cached(view)
        return self._features[view.name]

    def _compared(self, real: Tensor, made: Tensor, view: TranslationTask) -> Mapping[str, float]:
        numbers: dict[str, float] = {}
        for metric in self.metrics:
            numbers |= {self.key(name, view.name): n for name, n in METRICS.resolve(metric)(real, made).items()}
        return numbers

    @torch.no_grad()
    def _translated(self, recipe: Recipe, view: TranslationTask) -> tuple[Tensor, float, float]:
        """Features of the translations, and the means of structure and change."""
        features, kept, changed = [], [], []
        for start in range(0, view.count, BATCH):
            batch = view.batch(start, min(start + BATCH, view.count))
            made = recipe.render(batch)[view.made].float()
            features.append(self.net(made))
            kept.append(metrics.structure(batch[view.source], made))
            changed.append(metrics.change(batch[view.source], made))
        return torch.cat(features), torch.cat(kept).mean().item(), torch.cat(changed).mean().item()

    def _cached(self, view: TranslationTask) -> Tensor:
        label, content = (hashlib.sha256(text.encode()).hexdigest() for text in (view.label, view.digest))
        kind = f"features-{self.net.name}-{label[:8]}"
        path = self.root / CACHE / f"{kind}-{content[:8]}{self.net.digest[:8]}.npy"
        try:
            return torch.from_numpy(np.load(path, allow_pickle=False))
        except (FileNotFoundError, ValueError):  # not there, or not whole
            pass
        for stale in path.parent.glob(f"{kind}-*"):
            stale.unlink(missing_ok=True)
        starts = range(0, view.count, BATCH)
        features = torch.cat([self.net(view.sources(at, min(at + BATCH, view.count))) for at in starts])
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.save(file, features.numpy(), allow_pickle=False)
        return features
