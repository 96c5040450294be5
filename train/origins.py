"""The settings of a recipe with where each of them comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.origins import Layer, Origin, origins
from pipeline.params import Params, as_dict
from train.recipes import RECIPES
from train.settings import Groups, read


def of_recipe(params: Params, recipe: str, flags: Mapping[str, Any]) -> list[Origin]:
    """Every key of train.RECIPE as a run with these `flags` (dotted: run.steps) has it. Raises what settings.read does.

    Sizes that a run takes from its data are shown as it will have them.
    """
    settings = read(params, recipe, flags)
    written = params.section(f"train.{recipe}", Groups)
    found: list[Origin] = []
    for group in ("data", "run", "model"):
        given = {key.partition(".")[2]: v for key, v in flags.items() if key.startswith(f"{group}.") and v is not None}
        usual = RECIPES.resolve(recipe).DEFAULTS.get(group, {})
        kept = as_dict(getattr(settings, group))  # a recipe's steps give way to epochs
        layers: list[Layer] = [
            (f"{recipe}'s default", {key: value for key, value in usual.items() if kept[key] == value}),
            (str(params.path or "params.yaml"), getattr(written, group)),
            ("command line", given),
        ]
        if group == "model" and getattr(settings.model, "size", None) not in (
            None,
            getattr(written, group).get("size"),
        ):
            layers.insert(0, (f"follows from train.{recipe}.data.size", {"size": None}))
        found += origins(getattr(settings, group), f"train.{recipe}.{group}", layers)
    return found
