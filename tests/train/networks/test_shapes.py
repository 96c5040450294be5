"""Networks that have shapes alone have those of the networks that train."""

from __future__ import annotations

import pytest

from curate.pipeline.core.config import parse
from curate.train.networks.shapes import shapes_only
from curate.train.recipes import RECIPES
from tests.train.recipes.test_every import SMALL


@pytest.mark.parametrize("case", SMALL)
def test_names_shapes_and_types_are_those_of_the_real_ones(case: str) -> None:
    recipe = RECIPES.resolve(case.split()[0])
    config = parse(recipe.Config, SMALL[case], "model")
    with shapes_only():
        shapes = recipe(config)
    assert all(value.is_meta for value in shapes.parameters())
    real = {name: (value.shape, value.dtype) for name, value in recipe(config).state_dict().items()}
    assert {name: (value.shape, value.dtype) for name, value in shapes.state_dict().items()} == real
