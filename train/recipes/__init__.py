"""Recipes. One file per model; this is the table of them.

A recipe is an nn.Module that keeps the contract of train.recipe. A new one is one file and one line in RECIPES.
"""

from __future__ import annotations

from pipeline.registry import Registry

RECIPES = Registry(
    "recipe",
    {
        "cyclegan": "train.recipes.cyclegan:CycleGAN",
        "ugatit": "train.recipes.ugatit:UGATIT",
        "cagan": "train.recipes.cagan:CAGAN",
    },
)
