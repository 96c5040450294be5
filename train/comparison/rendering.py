"""What a recipe makes of the images that it is measured on, once for all that is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from curate.pipeline.core.progress import Progress
from curate.train.data.transforms import to_float, to_uint8
from curate.train.engine.contract import Batch, Recipe
from curate.train.evaluation import metrics
from curate.train.evaluation.evaluator import painted_boxes
from curate.train.evaluation.held_out import TranslationTask
from curate.train.evaluation.real_features import BATCH

Box = tuple[int, int, int, int]  # top, bottom, left, right, px


@dataclass(frozen=True)
class Rendered:
    """A task's images and what was made of them, as 8-bit pictures: they are what anybody gets."""

    task: TranslationTask
    sources: Tensor  # uint8 [N, H, W, 3]; of pictures made of noise, the real ones that they should look like
    made: Tensor  # uint8 [N, H, W, 3]
    articles: Tensor | None  # uint8 [N, H, W, 3], what people were given to wear
    boxes: Sequence[Box | None] | None  # around what was painted, of a task that is compared there alone
    mask: Tensor | None  # [N] in [0, 1], the share of the picture that was painted
    cycle: Tensor | None  # [N] in [0, 1], difference of a source and its way there and back
    identity: Tensor | None  # [M] in [0, 1], change of images that are already as they should be

    def images(self) -> Tensor:
        """What was made, float32 [N, 3, H, W] in [-1, 1]."""
        return to_float(self.made)


@torch.no_grad()
def render(recipe: Recipe, tasks: Mapping[str, TranslationTask], task: TranslationTask, progress: Progress) -> Rendered:
    """Translates the sources of `task`, one of `tasks`, there and, where there is a way, back."""
    parts: dict[str, list[Any]] = {}
    with progress.task(f"translate {task.name}", task.count) as running:
        for start in range(0, task.count, BATCH):
            batch = task.batch(start, min(start + BATCH, task.count))
            rendered = recipe.render(batch)
            made = _bounded(rendered[task.made])
            found = {"sources": to_uint8(batch[task.source]), "made": to_uint8(made)}
            if "other" in batch:
                found["articles"] = to_uint8(batch["other"])
            if (share := _painted(rendered, task)) is not None:
                found["mask"] = share
            if (back := _back(recipe, tasks, task, batch, made)) is not None:
                found["cycle"] = metrics.change(batch[task.source], back).cpu()
            for name, value in found.items():
                parts.setdefault(name, []).append(value)
            if task.mask:
                parts.setdefault("boxes", []).extend(painted_boxes(rendered[task.mask]))
            running.advance(len(made))
    boxes = parts.pop("boxes", None)
    whole = {name: torch.cat(values) for name, values in parts.items()}
    return Rendered(
        task=task,
        sources=whole["sources"],
        made=whole["made"],
        articles=whole.get("articles"),
        boxes=boxes,
        mask=whole.get("mask"),
        cycle=whole.get("cycle"),
        identity=_unchanged(recipe, tasks, task),
    )


def _bounded(made: Tensor) -> Tensor:
    return made.float().clamp(-1.0, 1.0)


def _painted(rendered: Batch, task: TranslationTask) -> Tensor | None:
    """The share of each picture that was painted, [N]; None where a recipe paints without a mask."""
    if task.mask:
        return ((rendered[task.mask].float() + 1.0) / 2.0).mean((1, 2, 3)).cpu()
    mask = rendered.get(f"{task.made}_mask")
    return None if mask is None else mask.float().mean((1, 2, 3)).cpu()


def _back(
    recipe: Recipe, tasks: Mapping[str, TranslationTask], task: TranslationTask, batch: Batch, made: Tensor
) -> Tensor | None:
    """What becomes of `made` on its way back; None where there is none."""
    if "other" in batch:
        own = {"human": made, "article": batch["other"], "other": batch["article"]}
        return _bounded(recipe.render(own)[task.made])
    goal = tasks[task.goal]
    if not (task.translates and goal.made):
        return None
    there = {goal.source: made}
    if (face := batch.get(f"face_{task.source}")) is not None:
        there[f"face_{goal.source}"] = face  # the mask goes with the original face
    return _bounded(recipe.render(there)[goal.made])


def _unchanged(recipe: Recipe, tasks: Mapping[str, TranslationTask], task: TranslationTask) -> Tensor | None:
    """How much images change that are of the goal's kind already: people given what they wear. [M], or None."""
    if not task.translates:
        return None
    goal, changes = tasks[task.goal], []
    for start in range(0, goal.count, BATCH):
        batch = goal.batch(start, min(start + BATCH, goal.count))
        if "other" in batch:
            given = {**batch, "other": batch["article"]}
        else:
            given = {name.removesuffix(goal.source) + task.source: images for name, images in batch.items()}
        changes.append(metrics.change(batch[goal.source], _bounded(recipe.render(given)[task.made])).cpu())
    return torch.cat(changes)
