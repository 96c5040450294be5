"""CycleGAN and U-GAT-IT beside checkouts of taesungp/contrastive-unpaired-translation, znxlwm/UGATIT-pytorch,
aitorzip/PyTorch-CycleGAN and zassou65535/image_converter."""

from __future__ import annotations

import contextlib
import inspect
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from curate.train.engine.loop import LoopConfig, train
from curate.train.translate.api import load
from tests.bench import steps
from tests.bench.parity.shared import FULL, Networks, Row, apart, imported, losses_of, moved, pictures


def warmed(network: nn.Module, side: int) -> nn.Module:
    """With spectral norms as 10 training forwards leave them."""
    with torch.no_grad():
        for _ in range(10):
            network.train()(pictures(side))
    return network.eval()


def ugatit(networks: Any, width: int, blocks: int, side: int, light: bool, depths: tuple[int, int]) -> Networks:
    keys = {"ngf": width, "n_blocks": blocks, "img_size": side, "light": light}
    made: dict[str, nn.Module] = {name: networks.ResnetGenerator(3, 3, **keys) for name in ("genA2B", "genB2A")}
    made |= {name: networks.Discriminator(3, width, depths[0]) for name in ("disGA", "disGB")}
    made |= {name: networks.Discriminator(3, width, depths[1]) for name in ("disLA", "disLB")}
    made = {name: moved(network, seed) for seed, (name, network) in enumerate(made.items())}
    judged = max(side, 128)
    return {
        name: warmed(network, judged) if name.startswith("dis") else network.eval() for name, network in made.items()
    }


UGATIT_SMALL = [(8, 2, 64, True), (8, 6, 64, True), (8, 2, 64, False), (8, 6, 64, False)]
UGATIT_FULL = [(64, 4, 256, True), (64, 4, 256, False)]
OURS = {"disGA": "d_a_global", "disLA": "d_a_local", "genA2B": "g_a2b"}


def ugatit_rows(networks: Any) -> Iterator[Row]:
    for width, blocks, side, light in UGATIT_SMALL + (UGATIT_FULL if FULL else []):
        theirs = ugatit(networks, width, blocks, side, light, (7, 5))
        recipe = imported({"x_params_0000001.pt": {name: network.state_dict() for name, network in theirs.items()}})
        kind = "light" if light else "full"
        yield from _compared(f"G {kind}, width {width}, {blocks} blocks, {side} px", theirs, recipe, "genA2B", side)
        if blocks != 6 and light:
            judged = max(side, 128)
            yield from _compared(f"D global, 7 layers, width {width}, {judged} px", theirs, recipe, "disGA", judged)
            yield from _compared(f"D local, 5 layers, width {width}, {judged} px", theirs, recipe, "disLA", judged)


def _compared(label: str, theirs: Networks, recipe: Any, name: str, side: int) -> Iterator[Row]:
    with torch.no_grad():
        expected, made = theirs[name](pictures(side)), getattr(recipe, OURS[name])(pictures(side))[:3]
    yield ("U-GAT-IT", label, *(apart(a, b) for a, b in zip(made, expected, strict=True)))


def cyclegan(module: Any, width: int, blocks: int) -> Networks:
    keys = {"no_antialias": True, "no_antialias_up": True}
    norm = module.get_norm_layer("instance")
    made: dict[str, nn.Module] = {
        f"latest_net_G_{side}": module.ResnetGenerator(
            3, 3, width, norm, n_blocks=blocks, opt=types.SimpleNamespace(), **keys
        )
        for side in "AB"
    }
    made |= {f"latest_net_D_{side}": module.NLayerDiscriminator(3, width, 3, norm, no_antialias=True) for side in "AB"}
    return {name: moved(network, seed).eval() for seed, (name, network) in enumerate(made.items())}


def cyclegan_rows(module: Any) -> Iterator[Row]:
    for width, blocks in [(8, 2), (8, 9), *([(64, 9)] if FULL else [])]:
        theirs = cyclegan(module, width, blocks)
        recipe = imported({f"{name}.pth": network.state_dict() for name, network in theirs.items()})
        seen = pictures(256 if FULL else 64)
        with torch.no_grad():
            made = apart(recipe.g_a2b(seen), theirs["latest_net_G_A"](seen))
            yield "CycleGAN", f"G, width {width}, {blocks} blocks, {seen.shape[2]} px", made
            made = apart(recipe.d_b(seen), theirs["latest_net_D_A"](seen))
            yield "CycleGAN", f"D, width {width}, {seen.shape[2]} px", made


def compact_rows(models: Any) -> Iterator[Row]:
    """Its width is 64, which nothing changes; its discriminator averages its map."""
    theirs = {"netG_A2B": models.Generator(3, 3, 2), "netD_B": models.Discriminator(3)}
    theirs = {name: moved(network, seed).eval() for seed, (name, network) in enumerate(theirs.items())}
    recipe = imported({f"{name}.pth": network.state_dict() for name, network in theirs.items()})
    seen = pictures(256 if FULL else 64)
    with torch.no_grad():
        yield "CycleGAN (compact)", "G, width 64, 2 blocks", apart(recipe.g_a2b(seen), theirs["netG_A2B"](seen))
        ours, judged = recipe.d_b(seen).mean((1, 2, 3)), theirs["netD_B"](seen).flatten()
        yield "CycleGAN (compact)", "D, its map averaged, width 64", apart(ours, judged)


def blog_rows(module: Any) -> Iterator[Row]:
    theirs = moved(module.Generator(ngf=8, n_blocks=6, img_size=64), 0).eval()
    recipe = imported({"generator_A2B_trained_model_cpu.pth": theirs.state_dict()})
    with torch.no_grad():
        expected, made = theirs(pictures(64)), recipe.g_a2b(pictures(64))[:3]
    row = (apart(a, b) for a, b in zip(made, expected, strict=True))
    yield ("U-GAT-IT (image_converter)", "G, width 8, 6 blocks, 64 px", *row)


def gradient_rows(networks: Any) -> Iterator[Row]:
    """Largest relative difference over all parameter tensors, for the mean square of image and CAM logits."""
    for width, blocks, side, light in UGATIT_SMALL + (UGATIT_FULL[:1] if FULL else []):
        theirs = ugatit(networks, width, blocks, side, light, (7, 5))
        recipe = imported({"x_params_0000001.pt": {name: network.state_dict() for name, network in theirs.items()}})
        for name in ("genA2B", "disGA", "disLA"):
            ours, seen = getattr(recipe, OURS[name]), pictures(side if name == "genA2B" else max(side, 128))
            gradients = [_gradients(network.train(), seen) for network in (ours, theirs[name])]
            label = f"{name}, {'light' if light else 'full'}, width {width}, {blocks} blocks"
            yield "U-GAT-IT", label, f"{_worst(*gradients):.1e}"


def _gradients(network: nn.Module, seen: Tensor) -> list[Tensor]:
    network.zero_grad()
    out, cam, _ = network(seen)
    (out.square().mean() + cam.square().mean()).backward()
    return [p.grad for p in network.parameters() if p.grad is not None]


def _worst(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Tensors are paired by their norms, since their order differs."""

    def ordered(gradients: Sequence[Tensor]) -> list[Tensor]:
        return sorted(gradients, key=lambda value: (value.numel(), float(value.norm())))

    pairs = zip(ordered(ours), ordered(theirs), strict=True)
    return max(float((a.flatten() - b.flatten()).norm() / b.norm()) for a, b in pairs if b.norm() > 0)


def step_rows(recipe: str, side: int = 128, count: int = 3) -> Iterator[Row]:
    """The largest relative difference of an optimiser's whole loss over `count` steps, from the same weights."""
    torch.manual_seed(0)
    run: Any = steps.REFERENCES[recipe]({"recipe": recipe, "side": side}, torch.device("cpu"))
    inside = inspect.getclosurevars(run).nonlocals
    if recipe == "cyclegan":
        keys = ("G_A", "G_B", "D_A", "D_B")
        files = {f"latest_net_{key}.pth": getattr(inside["model"], f"net{key}").state_dict() for key in keys}
    else:
        named = {f"dis{kind}{domain}": inside["judges"]["AB".index(domain)]["GL".index(kind)] for kind, domain in KINDS}
        named |= {"genA2B": inside["forth"], "genB2A": inside["back"]}
        files = {"x_params_0000001.pt": {name: network.state_dict() for name, network in named.items()}}
    ours = imported(files).train()
    theirs = losses_of(lambda: run(count, pair_of(side)))
    per_step = len(theirs) // count
    parts = [theirs[step * per_step : (step + 1) * per_step] for step in range(count)]
    expected = [(g, sum(d)) if recipe == "cyclegan" else (sum(d), g) for g, *d in parts]  # U-GAT-IT: D, then G
    made: list[tuple[float, float]] = []

    def on_tick(clock: Any, scalars: Mapping[str, float]) -> None:
        g, d = (sum(value for name, value in scalars.items() if name.startswith(f"{key}/")) for key in "GD")
        made.append((g, d))

    with contextlib.suppress(KeyboardInterrupt):  # long before learning rates begin to fall
        train(ours, pair_of(side), LoopConfig(10 * count, tick=1, stop=lambda: len(made) == count), on_tick)
    worst = [
        max(abs(a - b) / abs(b) for a, b in zip(*rows, strict=True))
        for rows in zip(made[:count], expected, strict=True)
    ]
    yield recipe, f"{side} px, batch 1, {count} steps", f"{max(worst):.1e}; first step {worst[0]:.1e}"


KINDS = ("GA", "GB", "LA", "LB")


def pair_of(side: int) -> Callable[[int], dict[str, Tensor]]:
    return lambda step: {key: pictures(side, 1, seed=2 * step + n) for n, key in enumerate("ab")}


def picture_rows(networks: Any) -> Iterator[Row]:
    """The 8-bit picture that curate.load makes of a file, in levels of 255 from the reference's own output."""
    for light in (True, False):
        theirs = ugatit(networks, 16, 4, 64, light, (5, 4))
        photo = torch.randint(256, (64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x_params_0000001.pt"
            torch.save({name: network.state_dict() for name, network in theirs.items()}, path)
            made = load(path, direction="b2a", device="cpu")(photo.numpy(), align=False)
        with torch.no_grad():
            expected = theirs["genB2A"](photo.permute(2, 0, 1)[None] / 127.5 - 1)[0][0].permute(1, 2, 0)
        levels = (torch.from_numpy(made) - (expected + 1) * 127.5).abs().max()
        yield "U-GAT-IT", f"{'light' if light else 'full'}, width 16, 4 blocks, 64 px, b2a", f"{levels:.3f}"
