"""Networks of a sort: they paint something that is plainly seen, with and without a mask, and learn nothing."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from curate.pipeline.faces.config import CropRules
from curate.train.engine.contract import Batch
from curate.train.runs.trained import Trained

Paints = Literal["oval", "all", "plain"]  # through a mask; through one that is 1 everywhere; without one


class Painter:
    """A recipe that swaps the colours of what it sees, or, with `same`, keeps them."""

    def __init__(self, paints: Paints = "oval", *, same: bool = False) -> None:
        self.paints, self.same = paints, same
        self.seen: list[Batch] = []

    def state_dict(self) -> dict[str, Tensor]:
        return {"nothing": torch.zeros(())}

    def render(self, batch: Batch) -> Batch:
        self.seen.append(batch)
        seen = batch["a"]
        paint = seen if self.same else (seen[:, [1, 2, 0]] * 0.9 + 0.12).clamp(-1, 1)
        if self.paints == "plain":
            return {"a2b": paint}
        place = [(torch.arange(side) + 0.5) / side - 0.5 for side in seen.shape[2:]]
        oval = (place[0][:, None] / 0.45) ** 2 + (place[1] / 0.4) ** 2 < 1
        mask = oval.float().expand_as(seen[:, :1]) if self.paints == "oval" else torch.ones_like(seen[:, :1])
        return {"a2b": seen * (1 - mask) + paint * mask, "a2b_mask": mask, "a2b_paint": paint}


def painter(
    paints: Paints = "oval", *, same: bool = False, side: int = 64, size: int = 128, **rules: object
) -> Trained:
    """Such networks, which see faces cut at `size` px as `side` px."""
    cut = CropRules(size=size, **rules)  # type: ignore[arg-type]
    keys, recipe = frozenset("ab"), Painter(paints, same=same)
    domains = {"a": "long", "b": "short"}
    return Trained(
        recipe=recipe,  # type: ignore[arg-type]
        source="runs/painter",
        step=7,
        side=side,
        domains=domains,
        rules={"a": cut, "b": cut},
        directions=("a2b",),
        keys=keys,
    )
