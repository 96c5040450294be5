"""How good the translations of held-out images are while a run goes on, and when that is measured.

Every number of a feature net carries the net's name: numbers of two nets are never mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from curate.train.data import transforms
from curate.train.engine.contract import Recipe
from curate.train.evaluation import metrics, real_features
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import HeldOut, TranslationTask
from curate.train.evaluation.metrics import METRICS
from curate.train.evaluation.real_features import BATCH

GROUP = "val"  # of the scalars that come from here: val/kid_standin_a2b
ALWAYS_MEASURED = ("diversity",)  # cheap, and low where all outputs are alike
MIN_MEASURED = 2  # images per task
SMALLEST = 16  # px, sides of the part of an image that is measured


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
        self.translating = {name: task for name, task in held_out.tasks.items() if task.made}
        self.metrics = tuple(dict.fromkeys((*names, *ALWAYS_MEASURED)))
        self._features: dict[str, Tensor] = {}

    def key(self, metric: str, task: str) -> str:
        """The name of a scalar: val/kid_standin_a2b."""
        return f"{GROUP}/{metric}_{self.net.name}_{task}"

    def measure(self, recipe: Recipe) -> dict[str, float]:
        """Metrics of each task's translations against the images that they should look like, by `key`.

        Where a recipe paints through a mask, both are cut to the box around what was painted: all else is the input's
        own pixels, which tell nothing. Too few painted images have no metric. Beside them, per task:
        val/structure_TASK and val/colour_TASK in [-1, 1], how much of the drawing and of the colours is kept;
        val/change_TASK in [0, 1], the mean difference of input and output; val/checkerboard_TASK in [0, 1], how much
        stronger a small pattern lies over the outputs than over the inputs.
        """
        scalars: dict[str, float] = {}
        for task in self.translating.values():
            made, real, beside = self._translated(recipe, task)
            if not task.mask:
                real = self.real(self.tasks[task.goal])
            if min(len(made), len(real)) >= MIN_MEASURED:
                scalars |= self._scores(real, made, task)
            scalars |= {f"{GROUP}/{name}_{task.name}": value for name, value in beside.items()}
        return scalars

    def untranslated(self) -> dict[str, float]:
        """The same metrics of the inputs as they are: what a translation that does nothing would get."""
        scalars: dict[str, float] = {}
        for task in self.translating.values():
            if task.goal != task.name:
                scalars |= self._scores(self.real(self.tasks[task.goal]), self.real(task), task)
        return scalars

    def real(self, task: TranslationTask) -> Tensor:
        """Features of the task's sources, float32 [N, d]."""
        if task.name not in self._features:
            self._features[task.name] = real_features.load(task, self.net, self.root)
        return self._features[task.name]

    def _scores(self, real: Tensor, made: Tensor, task: TranslationTask) -> Mapping[str, float]:
        numbers: dict[str, float] = {}
        for metric in self.metrics:
            numbers |= {self.key(name, task.name): n for name, n in METRICS.resolve(metric)(real, made).items()}
        return numbers

    @torch.no_grad()
    def _translated(self, recipe: Recipe, task: TranslationTask) -> tuple[Tensor, Tensor, dict[str, float]]:
        """Features of the translations, and of the same boxes of their sources where there is a mask; and the means of
        what is measured from pixels.
        """
        made_features, real_features = [], []
        beside: dict[str, list[Tensor]] = {}
        for start in range(0, task.count, BATCH):
            batch = task.batch(start, min(start + BATCH, task.count))
            source, rendered = batch[task.source], recipe.render(batch)
            made = rendered[task.made].float().clamp(-1.0, 1.0)
            whole = {
                "structure": metrics.structure(source, made),
                "colour": metrics.colour(source, made),
                "change": metrics.change(source, made),
                "checkerboard": (metrics.checkerboard(made) - metrics.checkerboard(source)).clamp_min(0.0),
            }
            for name, values in whole.items() if task.translates else ():
                beside.setdefault(name, []).append(values)
            if task.mask:
                boxes = list(painted_boxes(rendered[task.mask]))
                source, made = (cut_out(images, boxes) for images in (source, made))
                real_features += [self.net(source)] if len(source) else []
            made_features += [self.net(made)] if len(made) else []
        features, real = (torch.cat(part) if part else torch.empty(0, 1) for part in (made_features, real_features))
        return features, real, {name: torch.cat(values).mean().item() for name, values in beside.items()}


def painted_boxes(masks: Tensor) -> Iterator[tuple[int, int, int, int] | None]:
    """For each of `masks` [N, C, H, W] in [-1, 1] the box around its white part: top, bottom, left, right, px.

    At least SMALLEST wide and high, as far as the image goes; None where nothing is white.
    """
    height, width = masks.shape[-2:]
    for mask in masks:
        painted = mask[0] > 0
        if not painted.any():
            yield None
            continue
        ends = []
        for line, length in ((painted.any(1), height), (painted.any(0), width)):
            at = line.nonzero()
            first, last = int(at[0]), int(at[-1]) + 1
            more = max(0, min(SMALLEST, length) - (last - first))
            first = min(max(0, first - more // 2), length - min(length, last - first + more))
            ends += [first, min(length, max(last, first + min(SMALLEST, length)))]
        yield ends[0], ends[1], ends[2], ends[3]


def cut_out(images: Tensor, boxes: Sequence[tuple[int, int, int, int] | None]) -> Tensor:
    """The `boxes` of `images` [N, 3, H, W], each resized to H x W; those without one are left out."""
    height, width = images.shape[-2:]
    parts = [
        transforms.resize(image[None, :, box[0] : box[1], box[2] : box[3]].float(), height, width)
        for image, box in zip(images, boxes, strict=True)
        if box
    ]
    return torch.cat(parts) if parts else images[:0]
