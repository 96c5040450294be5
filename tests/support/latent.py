"""A generator of 16 px with w's of 8 numbers, and a run around it, for the tests of latent codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from curate.pipeline.faces.config import CropRules
from curate.train.latent.latent_run import LatentRun
from curate.train.recipes.stylegan2.networks import Generator
from curate.train.runs.trained import Trained

SIDE, WIDTH, LAYERS = 16, 8, 4


class Mapping(nn.Module):
    w_avg: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.fc = nn.Linear(WIDTH + classes, WIDTH)
        self.register_buffer("w_avg", torch.full((WIDTH,), 0.1))

    def forward(self, z: Tensor, labels: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        x = z if labels is None else torch.cat([z, labels], 1)
        w = torch.tanh(self.fc(x))[:, None].repeat(1, LAYERS, 1)
        near = self.w_avg + psi * (w - self.w_avg)
        return near if cutoff is None else torch.cat([near[:, :cutoff], w[:, cutoff:]], 1)


class Layer(nn.Module):
    noise_const: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.affine = nn.Linear(WIDTH, 48)
        self.noise_strength = nn.Parameter(torch.tensor(0.05))
        self.register_buffer("noise_const", torch.randn(SIDE, SIDE))

    def forward(self, w: Tensor, noise: str) -> Tensor:
        flat = self.affine(w).view(-1, 3, 4, 4)
        image = nn.functional.interpolate(flat, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return image + self.noise_strength * self.noise_const if noise == "const" else image


class Synthesis(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.b16 = nn.ModuleDict({f"conv{n}": Layer() for n in range(LAYERS)})

    def forward(self, ws: Tensor, noise: str = "random") -> Tensor:
        return torch.stack([layer(ws[:, n], noise) for n, layer in enumerate(self.b16.values())]).sum(0)


class TinyGenerator(nn.Module):
    z_dim = w_dim = WIDTH
    num_ws, resolution = LAYERS, SIDE

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.c_dim = classes
        self.mapping, self.synthesis = Mapping(classes), Synthesis()


class TinyRecipe(nn.Module):
    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.average = TinyGenerator(classes)
        self.optimizers: dict[str, Any] = {}


def style_run(folder: Path, rules: CropRules | None = None) -> LatentRun:
    """The same with StyleGAN2's own networks."""
    torch.manual_seed(1)
    recipe: Any = TinyRecipe()
    recipe.average = Generator(SIDE, z_dim=WIDTH, w_dim=WIDTH, mapping_layers=1, channel_base=128, channel_max=8)
    for name, value in recipe.average.named_parameters():
        if name.endswith("noise_strength"):
            value.data.fill_(0.1)
    weights = folder / "style.bin"
    weights.write_bytes(b"style")
    own = {"a": rules or CropRules(align="none", size=32)}
    return LatentRun.of(_trained(recipe, folder, own, weights))


def tiny_run(folder: Path, *, seed: int = 0, classes: int = 0) -> LatentRun:
    """A run whose file of weights is in `folder`."""
    torch.manual_seed(seed)
    recipe: Any = TinyRecipe(classes)
    weights = folder / f"weights{seed}.bin"
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(bytes([seed]))
    rules = {"a": CropRules(align="ffhq", size=32)}
    return LatentRun.of(_trained(recipe, folder, rules, weights))


def _trained(recipe: Any, folder: Path, rules: dict[str, CropRules], weights: Path) -> Trained:
    return Trained(
        recipe=recipe,
        source=str(folder / "run"),
        step=1,
        side=SIDE,
        domains={"a": "portrait"},
        rules=rules,
        directions=(),
        keys=frozenset(),
        files=(weights,),
    )
