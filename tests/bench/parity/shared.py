"""What all comparisons share: networks whose weights hide nothing, ways into a checkout, differences as text."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from packaging.version import Version
from torch import Tensor, nn

from curate.train.engine.contract import Clock
from curate.train.translate.api import Pretrained, load
from curate.train.weights import exchange
from tests.support.command import curate

FULL = "--full" in sys.argv
Networks = Mapping[str, nn.Module]
Row = tuple[str, ...]


def moved(network: nn.Module, seed: int) -> nn.Module:
    """One-dimensional parameters, whose first values hide errors, moved by N(0, 0.05)."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 or name.endswith(("rho", "gamma", "beta")):
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))
    return network


def pictures(side: int, count: int = 2, seed: int = 9) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def imported(files: Mapping[str, Any]) -> Any:
    """Our recipe with the networks in the reference's own `files`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            torch.save(content, Path(folder) / name)
        found = exchange.read(Path(folder))
        recipe: Any = exchange.build(found)
    return recipe.eval()


@contextlib.contextmanager
def taken_in(path: Path, system: str) -> Iterator[Pretrained]:
    """What `curate weights import` makes of a reference's file or folder of files, as curate.load loads it."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "networks.safetensors"
        curate("weights", "import", path, "--out", written)
        yield load(written, system, device="cpu")


STUBS = {
    "module.importer": {"torch": torch, "nn": nn, "F": nn.functional},  # image_converter's brings matplotlib and more
    "torchfile": {},  # Council-GAN's, of files that nobody has
    "pkg_resources": {"parse_version": Version},  # stylegan3's; setuptools has it no longer
}
THEIRS = ("models", "module", "networks", "training", "torch_utils", "dnnlib", "trainer_council", "utils", "data")


def forget() -> None:
    """The references' modules, many of which have the same names."""
    for loaded in [name for name in sys.modules if name.partition(".")[0] in THEIRS]:
        del sys.modules[loaded]


def reference(variable: str, module: str) -> Any | None:
    """A module of the checkout that the environment names."""
    path = os.environ.get(variable)
    if not path:
        return None
    sys.path.insert(0, path)
    for name, content in STUBS.items():
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__dict__.update(content)
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(path)


def apart(made: Tensor, expected: Tensor) -> str:
    """The largest difference, and the largest value of the reference in brackets."""
    return f"{(made - expected).abs().max():.1e} ({expected.abs().max():.2g})"


def losses_of(work: Callable[[], None]) -> list[float]:
    """The losses that gradients are taken of while `work` goes on."""
    losses: list[float] = []
    backward = Tensor.backward

    def recorded(loss: Tensor, *rest: Any, **more: Any) -> None:
        losses.append(loss.item())
        backward(loss, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "backward", recorded)
        work()
    return losses


@contextlib.contextmanager
def in_double() -> Iterator[None]:
    """All that is single precision is double, here and in the references: what then differs is no rounding."""
    single = torch.float32
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "float32", torch.float64)
        patch.setattr(Tensor, "float", Tensor.double)
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(single)


class Part(NamedTuple):
    """One step of an optimiser."""

    optimizer: str
    losses: list[Mapping[str, float]]  # of each update that belongs to it
    gradients: Mapping[str, Tensor]


def stepped(recipe: Any, batch: Mapping[str, Tensor], clock: Clock) -> list[Part]:
    """One step of ours, as docs/reference/python.md says that it is taken."""
    parts, begun = [], False
    for update in recipe.step(batch, clock):
        if not begun:
            recipe.zero_grad()
            losses: list[Mapping[str, float]] = []
        losses.append({name: loss.item() for name, loss in update.losses.items()})
        torch.stack(list(update.losses.values())).sum().backward()
        begun = update.more
        if not begun:
            found = {name: value.grad for name, value in recipe.named_parameters() if value.grad is not None}
            parts.append(Part(update.optimizer, losses, found))
            recipe.optimizers[update.optimizer].step()
    return parts


def relative(made: Sequence[float], expected: Sequence[float]) -> float:
    """The largest difference, as a share of the reference's value."""
    return max(abs(a - b) / abs(b) for a, b in zip(made, expected, strict=True))


def worst_gradient(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor | None]) -> float:
    """The largest norm of a difference over the reference's norm, of tensors that the reference has gradients of."""
    known = {name: gradient for name, gradient in theirs.items() if gradient is not None and gradient.norm() > 0}
    return max(float((ours[name] - gradient).norm() / gradient.norm()) for name, gradient in known.items())
