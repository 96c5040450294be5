"""A recipe from a run's config, with its first weights, and what it consists of."""

from __future__ import annotations

from typing import Any

import torch

from curate.train.engine.contract import Recipe
from curate.train.engine.precision import select_device
from curate.train.engine.rng import derive_seed
from curate.train.recipes import RECIPES
from curate.train.runs.config import TrainConfig


def build(config: TrainConfig) -> Recipe:
    """The recipe with its first weights, which depend on run.seed alone, on the device that run.device asks for."""
    torch.manual_seed(derive_seed(config.run.seed, "init"))
    recipe: Any = RECIPES.resolve(config.recipe)(config.model)
    on_device: Recipe = recipe.to(select_device(config.run.device))
    return on_device


def parameter_counts(recipe: Any) -> dict[str, int]:
    """The parts of a recipe that have parameters, and how many."""
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in recipe.named_children()}
    return {name: count for name, count in counts.items() if count}
