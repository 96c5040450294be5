"""Council-GAN beside a checkout of Onr/Council-GAN: its own trainer class, on a CPU, by way of its own files."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from msgspec import structs
from torch import Tensor, nn

from curate.train.engine.contract import Clock
from curate.train.engine.rng import generator
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

OTHERS = torch.tensor([[1, 2, 3, 1], [0, 2, 3, 2], [3, 0, 1, 0], [2, 1, 0, 2]])  # whom each council's D sees
GLASSES = {"mask_zero_or_one_w": 10.0, "mask_total_w": 57.0, "mask_tv_w": 2.2}  # losses of the authors' other settings
OURS = {"mask_decided_weight": 10.0, "mask_weight": 57.0, "mask_smooth_weight": 2.2}
START = 1000  # of the council and, here, of the masks' losses


@dataclass(frozen=True)
class Council:
    """Four members; the authors' own settings for selfies and anime but for these."""

    width: int = 8
    blocks: int = 2
    style: int = 8
    hidden: int = 16
    masks: int = 3
    side: int = 64
    batch: int = 2
    way: str = "b2a"
    weights: Mapping[str, float] = field(default_factory=dict)  # of losses, under the authors' names

    def __str__(self) -> str:
        return f"width {self.width}, {self.blocks} blocks, {self.side} px, batch {self.batch}, {self.way}"

    def trainer(self, module: Any) -> Any:
        told = Path(module.__file__).parent / "configs" / "anime2face_council_folder.yaml"
        config = yaml.safe_load(told.read_text())
        config["gen"] |= {"dim": self.width, "n_res": self.blocks, "style_dim": self.style, "mlp_dim": self.hidden}
        config["gen"]["num_of_mask_dim_to_add"] = self.masks
        config["dis"]["dim"] = self.width
        config["focus_loss"]["focus_loss_start_at_iter"] = START
        config |= {"do_a2b": self.way == "a2b", "do_b2a": self.way == "b2a", **self.weights}
        made = module.Council_Trainer(config)
        made.told = config
        return moved(made, 0)


SMALL = (Council(), Council(masks=1, way="a2b", weights=GLASSES))
LARGE = Council(64, 5, 64, 256, side=128, batch=1)


def rows(module: Any) -> Iterator[Row]:
    shapes = [(shape, double) for shape in SMALL for double in (False, True)]
    with on_a_cpu():
        for shape, double in shapes + ([(LARGE, False)] if FULL else []):
            trainer = shape.trainer(module)
            with tempfile.TemporaryDirectory() as folder:
                trainer.save(folder, 99)
                with taken_in(Path(folder), "council") as ours:
                    if not double:
                        yield from _networks(shape, trainer, ours)
                        yield from _steps(shape, trainer, ours.recipe, module)
                        continue
                    with in_double():
                        yield from _steps(shape, trainer.double(), ours.recipe.double(), module, ", in double")


@contextlib.contextmanager
def on_a_cpu() -> Iterator[None]:
    """Moves to a GPU do nothing, and `.cpu()` copies as it does there: the trainer scales losses in place after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "cuda", lambda tensor, *_: tensor)
        patch.setattr(nn.Module, "cuda", lambda module, *_: module)
        patch.setattr(Tensor, "cpu", Tensor.clone)
        yield


def _networks(shape: Council, trainer: Any, ours: Any) -> Iterator[Row]:
    recipe, way = ours.recipe, shape.way
    counts = (sum(p.numel() for p in getattr(recipe, f"{kind}_0").parameters()) for kind in ("g", "d", "dc"))
    yield str(shape), "parameters of G, D and council D", " / ".join(f"{count:,}" for count in counts)
    for side in (shape.side, *([256] if shape.width == 64 else [])):
        seen, z = pictures(side, shape.batch), torch.randn(shape.batch, shape.style)
        made = [
            recipe.render({way[0]: seen, "z": z, "member": torch.tensor([n])})
            for n in range(4 if side == shape.side else 1)
        ]
        with torch.no_grad():
            theirs = [_painted(_of(trainer, "gen", shape)[n], seen, z) for n in range(len(made))]
        label = f"{shape.width} wide, {side} px, {len(made)} members"
        yield label, "picture", apart(_all(made, way), torch.cat([picture for picture, _ in theirs]))
        yield label, f"{shape.masks} masks", apart(_all(made, f"{way}_masks"), torch.cat([m for _, m in theirs]))
    seen, source = pictures(shape.side), pictures(shape.side, seed=8)
    for kind, name, shown in (("dis", "d", (seen,)), ("dis_council", "dc", (seen, source))):
        with torch.no_grad():
            expected = [scores for n in range(4) for scores in _of(trainer, kind, shape)[n](*shown)]
            judged = [scores for n in range(4) for scores in getattr(recipe, f"{name}_{n}")(torch.cat(shown, 1))]
        flat = (torch.cat([scores.flatten() for scores in maps]) for maps in (judged, expected))
        yield str(shape), f"{kind}, both scales, 4 members", apart(*flat)
    photo = torch.randint(256, (shape.side, shape.side, 3), dtype=torch.uint8)
    picture = torch.from_numpy(ours(photo.numpy(), align=False, member=3, style=7))
    z = torch.randn(1, shape.style, generator=generator("style", 7))
    with torch.no_grad():
        expected, _ = _painted(_of(trainer, "gen", shape)[3], photo.permute(2, 0, 1)[None] / 127.5 - 1, z)
    levels = (picture - (expected[0].permute(1, 2, 0) + 1) * 127.5).abs().max()
    yield str(shape), "t(photo, align=False, member=3, style=7), levels of 255", f"{levels:.3f}"


def _of(trainer: Any, kind: str, shape: Council) -> Any:
    return getattr(trainer, f"{kind}_{shape.way}_s")


def _painted(member: Any, images: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    content, _ = member.encode(images)
    return member.decode(content, z[..., None, None], images), member.dec.mask_s


def _all(made: list[Any], name: str) -> Tensor:
    return torch.cat([one[name] for one in made])


def _steps(shape: Council, trainer: Any, recipe: Any, module: Any, how: str = "") -> Iterator[Row]:
    kind = torch.get_default_dtype()
    if shape.weights:
        recipe.config = structs.replace(recipe.config, **OURS, mask_start=START)
    for first, count in ((START, 2),) if shape.width == 64 else ((START - 1, 4),):
        apart_by = []
        for step in range(first, first + count):
            batch = {key: pictures(shape.side, shape.batch, seed=2 * step + n).to(kind) for n, key in enumerate("ab")}
            z = torch.randn(shape.batch, 3, shape.style)
            parts = stepped(recipe, {**batch, "z": z, "others": OTHERS}, Clock(step, 100_000))
            made = [sum(losses.values()) for part in parts for losses in part.losses]
            expected = losses_of(lambda: _step(trainer, module, batch, z, step))  # noqa: B023
            apart_by.append(relative(made, expected))
            if step == first:
                named = {
                    f"g_{n}.{name}": weight.grad
                    for n in range(4)
                    for name, weight in _of(trainer, "gen", shape)[n].named_parameters()
                    if weight.ndim > 1  # biases before a norm have a true gradient of 0
                }
                gradients = worst_gradient(parts[-1].gradients, named)
        what = f"losses of D, council D and G, steps {first} to {first + count - 1}{how}"
        yield str(shape), what, f"{max(apart_by):.1e}; first step {apart_by[0]:.1e}"
        yield str(shape), f"gradients of G's weights, first step{how}", f"{gradients:.1e}"


def _step(trainer: Any, module: Any, batch: Mapping[str, Tensor], z: Tensor, step: int) -> None:
    """A step as their train.py takes it, on this z of each update, and these others."""
    config = trainer.told | {"iteration": step}
    others = iter(OTHERS.flatten().tolist())
    updates = (trainer.dis_update, trainer.dis_council_update, trainer.gen_update)
    for update, drawn in zip(updates, z.unbind(1), strict=True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "randn", lambda *shape, drawn=drawn: drawn.reshape(shape))
            patch.setattr(module.random, "choice", lambda among: next(others))
            update(batch["a"], batch["b"], config)
    trainer.update_learning_rate()
