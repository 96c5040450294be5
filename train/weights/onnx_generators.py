"""Generators that translate no photo alone, as functions of tensors, for ONNX: CAGAN's and StyleGAN2's.

    swap.onnx         human, article, worn [N, 3, H, W] in [-1, 1]       translated; mask [N, 1, H, W] in [0, 1]
    mapping.onnx      z [N, z_dim], psi [N], and labels [N, classes]     w [N, num_ws, w_dim]
    synthesis.onnx    w [N, num_ws, w_dim]                               image [N, 3, side, side], about [-1, 1]

N is free. `article` is what is to be worn, `worn` what the person wears now, or white. Where networks have classes,
labels are one-hot. psi is the share of the way from the mean w; noise is the stored one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from curate.train.engine.rng import generator


def smooth_pictures(seed: str, count: int, height: int, width: int) -> Tensor:
    """`count` smooth random pictures [count, 3, height, width] in [-1, 1], the same each time."""
    coarse = torch.rand(count, 3, 9, 9, generator=generator("onnx", seed, height)) * 2 - 1
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True).clamp(-1, 1)


class Swap(nn.Module):
    """CAGAN's: a person in another article."""

    parts = ("translated", "mask")

    def __init__(self, recipe: Any, height: int, width: int) -> None:
        super().__init__()
        self.recipe, self.height, self.width = recipe, height, width

    def forward(self, human: Tensor, article: Tensor, worn: Tensor) -> tuple[Tensor, Tensor]:
        """The person in the article, and where that was painted."""
        made = self.recipe.render({"human": human, "article": worn, "other": article})
        return made["swapped"], (made["alpha"][:, :1] + 1) / 2

    def examples(self, count: int) -> dict[str, Tensor]:
        """Inputs by name, `count` of each."""
        return {name: smooth_pictures(name, count, self.height, self.width) for name in ("human", "article", "worn")}


class MappingHalf(nn.Module):
    """StyleGAN2's first half."""

    parts = ("w",)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor, psi: Tensor, labels: Tensor | None = None) -> tuple[Tensor]:
        """The w of each layer."""
        mean = self.network.mapping.w_avg
        return (mean + psi[:, None, None] * (self.network.mapping(z, labels) - mean),)

    def examples(self, count: int) -> dict[str, Tensor]:
        """Inputs by name, `count` of each."""
        rng = generator("onnx", "z")
        inputs = {"z": torch.randn(count, self.network.z_dim, generator=rng), "psi": torch.linspace(0.5, 1.0, count)}
        if classes := self.network.c_dim:
            inputs["labels"] = torch.eye(classes)[torch.arange(count) % classes]
        return inputs


class SynthesisHalf(nn.Module):
    """StyleGAN2's second half."""

    parts = ("image",)

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, w: Tensor) -> tuple[Tensor]:
        """The picture of each w."""
        return (self.network.synthesis(w, "const"),)

    def examples(self, count: int) -> dict[str, Tensor]:
        """Inputs by name, `count` of each."""
        (w,) = MappingHalf(self.network)(**MappingHalf(self.network).examples(count))
        return {"w": w.detach()}
