"""Grids of the same held-out images, made again and again, to watch a run learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from curate.pipeline.imaging.codec import RGB
from curate.train.data.image_grid import grid
from curate.train.engine.contract import Batch, Recipe


@dataclass(frozen=True)
class Preview:
    """The held-out images that a run shows again and again."""

    batch: Batch
    grid: Callable[[Recipe, Batch], RGB]  # what the recipe makes of them, uint8 [H, W, 3]
    rows: Mapping[str, tuple[str, Sequence[int] | slice]]  # by key of what is made: from which key, and which of them


def translation_grid(recipe: Recipe, held_out: Batch) -> RGB:
    """A row per image: a, a made into b, and back again; then the same from b. uint8 [H, W, 3].

    Where a recipe draws its attention, that stands after the image that it is laid over; where it paints through a
    mask, that stands after what was made, white where it painted. Above each column stands what it is.
    """
    there = recipe.render(held_out)
    masks = {f"face_{key}": held_out[f"face_{other}"] for key, other in ("ab", "ba") if f"face_{other}" in held_out}
    back = recipe.render({"a": there["b2a"], "b": there["a2b"], **masks})  # a mask goes with the original face
    groups, labels = [], []
    for source, key, way_back in (("a", "a2b", "b2a"), ("b", "b2a", "a2b")):
        columns = {"input": held_out[source]}
        if f"{key}_attention" in there:
            columns["heat map"] = there[f"{key}_attention"]
        columns["there"] = there[key]
        if f"{key}_mask" in there:
            columns["mask"] = (there[f"{key}_mask"] * 2 - 1).expand_as(there[key])
        columns["back"] = back[way_back]
        groups.append(list(columns.values()))
        labels.append(list(columns))
    return grid(*groups, labels=labels)


def generated_grid(recipe: Recipe, held_out: Batch) -> RGB:
    """What is made of noise, in a square; uint8 [H, W, 3]."""
    made = recipe.render(held_out)["image"].clamp(-1.0, 1.0)
    return grid(list(made.split(math.isqrt(len(made) - 1) + 1)))


def member_grid(recipe: Recipe, held_out: Batch, *, way: str, members: int) -> RGB:
    """A row per image: the image, and what each of `members` makes of it one `way`, in two styles. uint8 [H, W, 3].

    Between the two stands the first one's mask, white where it painted.
    """
    source = held_out[way[0]]
    groups, labels = [[source]], [["input"]]
    for number in range(members):
        member = torch.tensor([number])
        first, second = (
            recipe.render({way[0]: source, "member": member, "style": torch.tensor([style])}) for style in range(2)
        )
        groups.append([first[way], (first[f"{way}_mask"] * 2 - 1).expand_as(source), second[way]])
        labels.append([f"member {number}", "mask", "style 2"])
    return grid(*groups, labels=labels)


def try_on_grid(recipe: Recipe, held_out: Batch) -> RGB:
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
    return grid([articles, *people], masks, labels=[["article", *["worn"] * n], ["painted"] * n])
