"""Grids of the same held-out images, made again and again, to watch a run learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.images import RGB
from train.data import to_uint8
from train.recipe import Batch, Recipe

GAP = 2  # px of white between pictures


@dataclass(frozen=True)
class Preview:
    """The held-out images that a run shows again and again."""

    batch: Batch
    grid: Callable[[Recipe, Batch], RGB]  # what the recipe makes of them, uint8 [H, W, 3]
    rows: Mapping[str, tuple[str, Sequence[int] | slice]]  # by key of what is made: from which key, and which of them


def unpaired(recipe: Recipe, held_out: Batch) -> RGB:
    """A row per image: a, a made into b, and back again; then the same from b. uint8 [H, W, 3].

    Where a recipe draws its attention, that stands after the image that it is laid over.
    """
    there = recipe.render(held_out)
    masks = {f"face_{key}": held_out[f"face_{other}"] for key, other in ("ab", "ba") if f"face_{other}" in held_out}
    back = recipe.render({"a": there["b2a"], "b": there["a2b"], **masks})  # a mask goes with the original face
    attention = [[there[key]] if key in there else [] for key in ("a2b_attention", "b2a_attention")]
    return grid(
        [held_out["a"], *attention[0], there["a2b"], back["b2a"]],
        [held_out["b"], *attention[1], there["b2a"], back["a2b"]],
    )


def wardrobe(recipe: Recipe, held_out: Batch) -> RGB:
    """The people along the top, the articles down the left, each person in each article; then where it was painted.

    `held_out` has every combination of n people with n articles, people changing fastest. uint8 [H, W, 3].
    """
    made = recipe.render(held_out)
    n = math.isqrt(len(held_out["human"]))
    blank = torch.ones_like(held_out["human"][:1])
    articles = torch.cat([blank, held_out["other"][::n]])
    people, masks = (
        [torch.cat([held_out["human"][i : i + 1], made[key][i::n].cpu()]) for i in range(n)]
        for key in ("swapped", "alpha")
    )
    return grid([articles, *people], masks)


def grid(*groups: list[Tensor]) -> RGB:
    """Columns of images [N, 3, H, W] in [-1, 1] side by side on white, groups set apart by a wider gap.

    N may differ between groups.
    """
    blocks = [torch.cat([_framed(to_uint8(column)) for column in group], dim=1) for group in groups]
    height = max(len(block) for block in blocks)
    width = sum(block.shape[1] for block in blocks) + 4 * GAP * (len(blocks) - 1)
    picture = torch.full((height, width, 3), 255, dtype=torch.uint8)
    left = 0
    for block in blocks:
        picture[: len(block), left : left + block.shape[1]] = block
        left += block.shape[1] + 4 * GAP
    shown: RGB = picture.numpy()
    return shown


def _framed(column: Tensor) -> Tensor:
    """uint8 [N, H, W, 3] as one column [N * (H + 2 * GAP), W + 2 * GAP, 3]."""
    count, height, width, _ = column.shape
    canvas = torch.full((count, height + 2 * GAP, width + 2 * GAP, 3), 255, dtype=torch.uint8)
    canvas[:, GAP:-GAP, GAP:-GAP] = column
    return canvas.flatten(0, 1)
