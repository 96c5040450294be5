"""A recipe from a run's config, with its first weights, and what it consists of."""

from __future__ import annotations

from typing import Any

import torch

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Recipe
from curate.train.engine.precision import select_device
from curate.train.engine.rng import derive_seed
from curate.train.networks.shapes import shapes_only
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


MOST = {
    "width": 2048,
    "discriminator_width": 2048,
    "blocks": 256,
    "discriminator_layers": 8,
    "global_layers": 10,
    "local_layers": 10,
    "size": 4096,
}
"""The largest networks that a file may ask for: far beyond any that was ever trained, far below what memory has."""

MOST_PARAMETERS = 4_000_000_000


def check_bounds(recipe: str, config: Any, where: str) -> None:
    """Raises UsageError where the networks of `config`, which a file said, are larger than any network is."""
    for key, most in MOST.items():
        value = getattr(config, key, None)
        if value is not None and value > most:
            raise UsageError(f"{where}: asks for {key} {value:,}: at most {most:,} is built", "look where it is from")
    with shapes_only():
        count = sum(parameter_counts(RECIPES.resolve(recipe)(config)).values())
    if count > MOST_PARAMETERS:
        raise UsageError(
            f"{where}: asks for networks of {count:,} parameters: at most {MOST_PARAMETERS:,} are built",
            "look where it is from",
        )
