"""How unlike each other the pictures of one photo are: those of a council's members, and those in several styles."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from curate.train.comparison.scores import Score, mean
from curate.train.engine.contract import Recipe
from curate.train.evaluation.features.extractor import FeatureNet
from curate.train.evaluation.held_out import TranslationTask

STYLES = 4  # that are compared
PHOTOS = 64  # at the most: each is translated once per member and style
BATCH = 8
ONE_PICTURE = "one picture per photo: no members, no styles"


@torch.no_grad()
def measure(
    recipe: Recipe, model: Any, task: TranslationTask, net: FeatureNet, real: Tensor, resamples: int
) -> dict[str, Score | str]:
    """members and styles: the mean distance of two pictures of one photo, as a share of that of two `real` images'
    features [N, d]; or why there are none. `model` is the recipe's config.
    """
    count: int = getattr(model, "members", 0)
    if not count:
        return {"members": ONE_PICTURE, "styles": ONE_PICTURE}
    found: dict[str, Score | str] = {}
    usual = torch.pdist(real.double()).mean().clamp_min(1e-12)
    choices = {"members": [(n, 0) for n in range(count)], "styles": [(0, n) for n in range(STYLES)]}
    for name, chosen in choices.items():
        if len(chosen) < 2:
            found[name] = "one member alone"
            continue
        pictures = torch.stack([_features(recipe, task, net, *one) for one in chosen], 1)  # [N, choices, d]
        apart = torch.stack([torch.pdist(of_one.double()).mean() for of_one in pictures])
        found[name] = mean(apart / usual, resamples, 1.0)
    return found


def _features(recipe: Recipe, task: TranslationTask, net: FeatureNet, member: int, style: int) -> Tensor:
    wanted = {"member": torch.tensor([member]), "style": torch.tensor([style])}
    parts = []
    for start in range(0, min(task.count, PHOTOS), BATCH):
        batch = task.batch(start, min(start + BATCH, task.count, PHOTOS))
        parts.append(net(recipe.render({**batch, **wanted})[task.made].float().clamp(-1.0, 1.0)))
    return torch.cat(parts)
