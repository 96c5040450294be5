"""A trained generator that makes pictures from seeds, as generate, project and edit need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.config import CropRules
from curate.train.data.single import latents
from curate.train.data.transforms import to_uint8
from curate.train.runs.trained import Trained
from curate.train.translate.metadata import MadeBy
from curate.train.weights import exchange

Noise = Literal["const", "none", "random"]

MOST_SEED = 2**32 - 1  # of RandomState
_TOGETHER = 1 << 20  # px of pictures that are made at once


class LatentGenerator(Protocol):
    """What is used of a StyleGAN2 generator."""

    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    mapping: Any  # (z, labels, psi=, cutoff=) -> ws [N, num_ws, w_dim]; with a buffer w_avg [w_dim]
    synthesis: Any  # (ws, noise) -> [N, 3, resolution, resolution], about [-1, 1]


@dataclass(frozen=True)
class LatentRun:
    """The moving average of a run's generator, or a generator from a file of weights."""

    generator: LatentGenerator
    trained: Trained

    @classmethod
    def of(cls, trained: Trained) -> LatentRun:
        """Raises UsageError for networks that translate pictures and make none from seeds."""
        recipe: Any = trained.recipe
        average = getattr(recipe, "average", None)
        generator = getattr(average, "network", average)
        if generator is None or not hasattr(generator, "mapping"):
            raise UsageError(
                f"{trained.source}: {type(recipe).__name__} makes pictures from pictures, and none from seeds",
                "name a run of stylegan2, or weights: curate weights import NETWORK.pkl -o ffhq.safetensors",
            )
        return cls(generator.eval().requires_grad_(False), trained)

    @property
    def device(self) -> torch.device:
        device: torch.device = self.generator.mapping.w_avg.device
        return device

    @property
    def rules(self) -> CropRules:
        """How the photos that it was trained on were cut."""
        return next(iter(self.trained.rules.values()), CropRules(align="ffhq"))

    @cached_property
    def made_by(self) -> MadeBy:
        return MadeBy.of(self.trained)

    @property
    def batch(self) -> int:
        """Pictures that are made at once."""
        return max(1, min(16, _TOGETHER // self.generator.resolution**2))

    def label(self, index: int | None, count: int) -> Tensor | None:
        """One-hot [count, c_dim] of the class `index`. Raises UsageError where there is none, or one is wanted."""
        classes = self.generator.c_dim
        if not classes and index is None:
            return None
        if not classes:
            raise UsageError(f"--class {index}: {self.trained.source} was trained without labels", "leave it out")
        if index is None or not 0 <= index < classes:
            raise UsageError(
                f"--class {index}: {self.trained.source} makes pictures of {classes} classes",
                f"--class 0 to {classes - 1}",
            )
        return torch.eye(classes, device=self.device)[[index] * count]

    @torch.no_grad()
    def codes(
        self, seeds: Sequence[int], psi: float = 1.0, cutoff: int | None = None, index: int | None = None
    ) -> Tensor:
        """ws [N, num_ws, w_dim] of `seeds`: z = RandomState(seed).randn(1, z_dim), as the official programs draw it."""
        found = [
            self.generator.mapping(self._z(part), self.label(index, len(part)), psi=psi, cutoff=cutoff)
            for part in (seeds[at : at + 256] for at in range(0, len(seeds), 256))
        ]
        return torch.cat(found)

    @torch.no_grad()
    def images(self, ws: Tensor, noise: Noise = "const") -> Tensor:
        """Pictures [N, 3, R, R] of ws [N, num_ws, w_dim], which may be on another device."""
        parts = [self.generator.synthesis(part.to(self.device), noise).float() for part in ws.split(self.batch)]
        return torch.cat(parts)

    def pictures(self, ws: Tensor, noise: Noise = "const") -> NDArray[np.uint8]:
        """The same as uint8 [N, R, R, 3]."""
        shown: NDArray[np.uint8] = to_uint8(self.images(ws, noise)).numpy()
        return shown

    def _z(self, seeds: Sequence[int]) -> Tensor:
        return latents(seeds, self.generator.z_dim).to(self.device)


def load(where: Path, device: str | None = None) -> LatentRun:
    """The generator of a run, RUN@STEP, RUN@best, or a file of weights. Raises UsageError for what has none."""
    return LatentRun.of(exchange.load([where], device=device or "auto")[0])
