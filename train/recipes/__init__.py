"""Recipes: a folder per model, and the table of them.

A recipe is an nn.Module that keeps the contract of train/engine/contract.py. A new one is a folder, with its constants
in config.py, its updates in recipe.py and its layers in networks.py, and a line in RECIPES.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from curate.pipeline.core.registry import Registry

if TYPE_CHECKING:
    from curate.train.engine.config import ModelConfig

RECIPES = Registry(
    "recipe",
    {
        "cyclegan": "curate.train.recipes.cyclegan.recipe:CycleGAN",
        "ugatit": "curate.train.recipes.ugatit.recipe:UGATIT",
        "cagan": "curate.train.recipes.cagan.recipe:CAGAN",
        "council": "curate.train.recipes.council.recipe:Council",
        "stylegan2": "curate.train.recipes.stylegan2.recipe:StyleGAN2",
    },
)


def model_section(name: str) -> type[ModelConfig]:
    """The section train.NAME.model, without loading torch. Raises UsageError for an unknown recipe."""
    folder = RECIPES[name].partition(":")[0].removesuffix(".recipe")
    kind: type[ModelConfig] = importlib.import_module(f"{folder}.config").CONFIG
    return kind
