"""StyleGAN2 beside checkouts of NVlabs/stylegan2-ada-pytorch and of stylegan3: their own networks and their own loss
class, in single precision on a CPU, by way of the pickles that their classes make."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate.train.data.single import latents
from curate.train.engine.contract import Clock
from curate.train.translate.api import Pretrained
from tests.bench.parity.shared import (
    FULL,
    Row,
    apart,
    in_double,
    losses_of,
    moved,
    pictures,
    relative,
    stepped,
    taken_in,
    worst_gradient,
)

LOSSES = ("gan", "path_length", "fake", "real", "r1")
PHASES = (("Gmain", 1), ("Greg", 4), ("Dmain", 1), ("Dreg", 16))  # with the gains of their training_loop.py


@dataclass(frozen=True)
class StyleGAN2:
    """Their configurations; the first ones are small, and `auto` and `paper256` what their train.py makes of them."""

    name: str
    side: int
    mapping: int
    base: int = 16384
    most: int = 512
    z: int = 512
    classes: int = 0
    clamp: float | None = 256.0
    batch: int = 4
    group: int = 4

    def __str__(self) -> str:
        clamp = "" if self.clamp == 256 else f", clamp {self.clamp}"
        return f"{self.name}, {self.side} px, batch {self.batch}, {self.classes} classes{clamp}"

    def networks(self, module: Any) -> dict[str, nn.Module]:
        """G, D and G_ema, with every parameter of one axis moved, and the mean w, too."""
        common = {"c_dim": self.classes, "img_resolution": self.side, "img_channels": 3}
        widths = {"channel_base": self.base, "channel_max": self.most, "num_fp16_res": 0, "conv_clamp": self.clamp}
        kinds = {"z_dim": self.z, "w_dim": self.z, "mapping_kwargs": {"num_layers": self.mapping}}
        kinds |= {"synthesis_kwargs": widths} if module.__name__ == "training.networks" else widths
        made = {name: module.Generator(**common, **kinds) for name in ("G", "G_ema")}
        made |= {"D": module.Discriminator(**common, **widths, epilogue_kwargs={"mbstd_group_size": self.group})}
        for seed, network in enumerate(made.values()):
            moved(network, seed)
        with torch.no_grad():
            for name in ("G", "G_ema"):
                made[name].mapping.w_avg.normal_()
                for key, parameter in made[name].named_parameters():
                    if key.endswith("noise_strength"):
                        parameter.add_(0.05 * torch.randn(()))
        return {name: network.eval().requires_grad_(False) for name, network in made.items()}


SMALL = [
    StyleGAN2("small", 32, 2, 512, 32, 32, batch=8, clamp=clamp, classes=classes)
    for clamp, classes in ((256.0, 0), (0.3, 3), (None, 3))
]
LARGE = [StyleGAN2("auto", 64, 2), StyleGAN2("paper256", 256, 8, batch=2, group=8)]
LARGER = [StyleGAN2("stylegan2 (ffhq, metfaces)", 1024, 8, 32768, batch=1)]


def rows(module: Any) -> Iterator[Row]:
    """Networks and, of the four losses, a first step."""
    for shape in [*SMALL, *(LARGE if FULL else [])]:
        made = shape.networks(module)
        with _imported(made) as ours:
            yield from _networks(shape, made, ours)
            yield from _first_step(shape, made, ours.recipe)
        if shape.side < 256:
            made = shape.networks(module)
            with _imported(made) as ours, in_double():
                yield from _first_step(shape, made, ours.recipe, ", in double")
    if FULL:
        yield from network_rows(module, LARGER)


def network_rows(module: Any, shapes: list[StyleGAN2] = SMALL) -> Iterator[Row]:
    for shape in shapes:
        made = shape.networks(module)
        with _imported(made) as ours:
            yield from _networks(shape, made, ours)


@contextlib.contextmanager
def _imported(made: Mapping[str, nn.Module]) -> Iterator[Pretrained]:
    """By way of the pickle that their training_loop.py writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network-snapshot-000100.pkl"
        path.write_bytes(pickle.dumps({"training_set_kwargs": {}, "augment_pipe": None, **made}))
        with taken_in(path, "stylegan2") as ours:
            yield ours


def _labels(shape: StyleGAN2, count: int) -> dict[str, Tensor]:
    return {"labels": torch.eye(shape.classes)[torch.arange(count) % shape.classes]} if shape.classes else {}


def _networks(shape: StyleGAN2, made: Mapping[str, Any], ours: Pretrained) -> Iterator[Row]:
    recipe: Any = ours.recipe
    counts = [sum(p.numel() for p in part.parameters()) for part in (recipe.generator, recipe.discriminator)]
    yield str(shape), "parameters of G and D", " / ".join(f"{count:,}" for count in counts)
    z, labels = latents(range(shape.batch), shape.z), _labels(shape, shape.batch)
    c, g = labels.get("labels", torch.zeros(shape.batch, 0)), made["G_ema"]
    with torch.no_grad():
        ws = g.mapping(z, c)
        yield str(shape), "w", apart(recipe.render({"z": z, **labels})["w"], ws)
        cut = {"psi": torch.tensor(0.5), "cutoff": torch.tensor(4)}
        near = recipe.render({"z": z, **labels, **cut})["w"]
        yield str(shape), "w at psi 0.5, cutoff 4", apart(near, g.mapping(z, c, 0.5, 4))
        mixed = torch.where(torch.arange(ws.shape[1])[:, None] % 2 == 0, ws, ws.flip(0) + 0.1)  # no two alike
        for number, kind in enumerate(("none", "const")):
            image = recipe.render({"w": mixed, "noise": torch.tensor(number)})["image"]
            yield str(shape), f"picture, noise {kind}", apart(image, g.synthesis(mixed, noise_mode=kind))
        seen = pictures(shape.side, shape.batch)
        judged = recipe.discriminator(seen, labels.get("labels"))
        yield str(shape), "D", apart(judged, made["D"](seen, c))


def _first_step(shape: StyleGAN2, made: Mapping[str, Any], recipe: Any, how: str = "") -> Iterator[Row]:
    kind = torch.get_default_dtype()
    for network in (recipe, *made.values()):
        network.to(kind)
    z, labels = latents(range(shape.batch), shape.z).to(kind), _labels(shape, shape.batch)
    real = pictures(shape.side, shape.batch).to(kind)
    drawn = torch.randn(shape.batch // 2, 3, shape.side, shape.side)
    for optimizer in recipe.optimizers.values():
        optimizer.param_groups[0]["lr"] = 0.0  # so that all four are of the same weights
    batch = {"a": real, "z": z, "noise": torch.tensor(1), "direction": drawn, **labels}
    parts = stepped(recipe, batch, Clock(0, 1000))
    mine = {name: value for part in parts for losses in part.losses for name, value in losses.items()}
    theirs, gradients, mean = _their_step(shape, made, batch)
    found = relative([mine[name] for name in LOSSES], theirs)
    yield str(shape), f"losses of step 0: {', '.join(LOSSES)}{how}", f"{found:.1e}"
    yield str(shape), f"the running path length{how}", f"{relative([recipe.path_length.item()], [mean]):.1e}"
    for (phase, _), part, expected in zip(PHASES, parts, gradients, strict=True):
        prefix = "generator." if phase.startswith("G") else "discriminator."
        own = {name.removeprefix(prefix): value for name, value in part.gradients.items()}
        yield str(shape), f"gradients of {phase}{how}", f"{worst_gradient(own, expected):.1e}"


def _their_step(
    shape: StyleGAN2, made: Mapping[str, Any], batch: Mapping[str, Tensor]
) -> tuple[list[float], list[dict[str, Tensor]], float]:
    """The losses of LOSSES, gradients of each phase, and the mean path length, of their loss class."""
    g, d = made["G"].train(), made["D"].train()
    g.synthesis.forward = partial(g.synthesis.forward, noise_mode="const")
    gamma = 0.0002 * shape.side**2 / shape.batch
    kind = importlib.import_module("training.loss").StyleGAN2Loss
    loss = kind("cpu", g.mapping, g.synthesis, d, r1_gamma=gamma, style_mixing_prob=0)
    c, found, gradients = batch.get("labels", torch.zeros(shape.batch, 0)), [], []
    for phase, gain in PHASES:
        network = g if phase.startswith("G") else d
        network.requires_grad_(True)
        network.zero_grad()
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of kernels that a CPU has none of
            patch.setattr(torch, "randn_like", lambda image: batch["direction"])
            work = partial(loss.accumulate_gradients, phase, batch["a"], c, batch["z"], c, True, gain)
            found += losses_of(work)
        gradients.append({name: value.grad for name, value in network.named_parameters()})
        network.requires_grad_(False)
    return found, gradients, loss.pl_mean.item()
