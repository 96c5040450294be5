"""Recipes: a folder per model, and the table of them.

A recipe is an nn.Module that keeps the contract of train/engine/contract.py. A new one is a
folder and a line in RECIPES.
"""

from __future__ import annotations

from curate.pipeline.core.registry import Registry

RECIPES = Registry(
    "recipe",
    {
        "cyclegan": "curate.train.recipes.cyclegan.recipe:CycleGAN",
        "ugatit": "curate.train.recipes.ugatit.recipe:UGATIT",
        "cagan": "curate.train.recipes.cagan.recipe:CAGAN",
    },
)
