"""Every mode against plain fp32, contiguous, eager: what the losses, the gradients and the pictures of a step are.

Tolerances are |difference| / |plain|. Where only the order of sums differs, 2e-3 for each tensor: the sign of an L1
loss may turn a difference of 1e-7 in an output into one of 1e-3 in a gradient. For bf16, whose products have 8 bits,
0.05 for pictures and 0.4 for all gradients together: here they are narrow networks on noise, which err the most.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate.pipeline.core.config import parse
from curate.pipeline.core.errors import CurateError, UsageError
from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.contract import Batch, Clock, Update
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.precision import Precision
from curate.train.engine.rng import generator
from curate.train.gan.image_pool import ImagePool
from curate.train.networks.blocks import InstanceNorm2d, frozen, instance_norm, spectral_norm
from curate.train.recipes import RECIPES
from tests.train.recipes.test_every import CLASSES, KEYS, SIDE, SMALL, Z_DIM, build, equal, every

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
EXACT, HALF, HALF_PICTURES = 2e-3, 0.4, 0.05

# What couples the images of a batch, or counts forwards, is left out: accumulation is compared with one larger batch.
UNCOUPLED: Mapping[str, Mapping[str, Any]] = {
    "cyclegan": {
        "width": 8,
        "discriminator_width": 8,
        "blocks": 1,
        "discriminator_layers": 2,
        "pool": 2,
        "augment": ["color", "cutout"],
    },
    "ugatit": {**SMALL["ugatit"], "width": 8},
    "cagan": {"variant": "modern", "size": SIDE, "width": 8, "tint": 0.5},
}
each = pytest.mark.parametrize("name", UNCOUPLED)


class Recorder(torch.optim.Optimizer):
    """Keeps the gradients that it is to step on, and stays where it is."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.0})
        self.seen: list[Tensor] = []

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        self.seen = [p.grad.detach().clone() for group in self.param_groups for p in group["params"]]


def stepped(
    name: str, precision: Precision, count: int, *, accumulate: int = 1, config: Mapping[str, Any] | None = None
) -> tuple[dict[str, Tensor], dict[str, float], Mapping[str, Tensor]]:
    """Gradients by parameter, losses by name and pictures of one step on `count` images."""
    torch.manual_seed(0)
    kind = RECIPES.resolve(name.partition(" ")[0])
    recipe = kind(
        parse(kind.Config, config or {**SMALL[name], "r1_weight": 0.0} if name != "cyclegan" else SMALL[name], "m")
    )
    recipe = recipe.to(DEVICE)
    names = {id(parameter): key for key, parameter in recipe.named_parameters()}
    recipe.optimizers = {key: Recorder(o.param_groups[0]["params"]) for key, o in recipe.optimizers.items()}
    rng = generator("modes", count)
    keys = ("a", "b", "human", "article", "other")
    batch = {key: (torch.rand(count, 3, SIDE, SIDE, generator=rng) * 2 - 1).to(DEVICE) for key in keys}
    batch["labels"] = torch.eye(CLASSES)[torch.arange(count) % CLASSES].to(DEVICE)
    batch["z"] = torch.randn(count, Z_DIM, generator=rng).to(DEVICE)
    losses: dict[str, float] = {}
    loop_config = LoopConfig(1, precision=precision, accumulate=accumulate)
    train(recipe, lambda step: batch, loop_config, lambda clock, scalars: losses.update(scalars))
    gradients = {
        names[id(p)]: gradient
        for optimizer in recipe.optimizers.values()
        for p, gradient in zip(optimizer.param_groups[0]["params"], optimizer.seen, strict=True)
    }
    with precision.running(), torch.autocast(DEVICE, torch.bfloat16, enabled=precision.dtype == "bf16"):
        pictures = recipe.render(precision.in_layout(batch))
    return gradients, losses, {key: picture.float() for key, picture in pictures.items()}


def near(plain: Any, made: Any, gradients: float, pictures: float) -> None:
    """Gradients, all together, and pictures within these tolerances."""
    for kind, tolerance in ((0, gradients), (2, pictures)):
        assert plain[kind].keys() == made[kind].keys()
        whole, other = (torch.cat([t.flatten() for t in which[kind].values()]) for which in (plain, made))
        assert (whole - other).norm() / whole.norm() < tolerance


def compared(plain: Any, made: Any, tolerance: float) -> None:
    """Each loss, gradient and picture within `tolerance`."""
    for key, value in plain[1].items():
        assert made[1][key] == pytest.approx(value, rel=tolerance, abs=tolerance), key
    for kind in (0, 2):
        assert plain[kind].keys() == made[kind].keys()
        most = max(value.norm() for value in plain[kind].values())
        for key, value in plain[kind].items():
            if value.norm() < 1e-5 * most:
                continue  # a bias before an instance norm: rounding alone
            apart = (made[kind][key] - value).norm() / value.norm()
            assert apart < tolerance, f"{key}: {apart:.1e}"


@every
@pytest.mark.parametrize("count", [1, 4])
def test_channels_last_is_plain(name: str, count: int) -> None:
    compared(stepped(name, Precision(), count), stepped(name, Precision(channels_last=True), count), EXACT)


@each
@pytest.mark.parametrize("count", [1, 4])
def test_bf16_is_near_plain(name: str, count: int) -> None:
    near(stepped(name, Precision(), count), stepped(name, Precision(dtype="bf16"), count), HALF, HALF_PICTURES)


@each
@pytest.mark.parametrize("count", [1, 4])
def test_bf16_with_channels_last_is_near_plain(name: str, count: int) -> None:
    made = stepped(name, Precision(dtype="bf16", channels_last=True), count)
    near(stepped(name, Precision(), count), made, HALF, HALF_PICTURES)


@pytest.mark.skipif(not GPU, reason="TF32 is a GPU's")
@every
@pytest.mark.parametrize("count", [1, 4])
def test_tf32_is_near_plain(name: str, count: int) -> None:
    near(stepped(name, Precision(), count), stepped(name, Precision(tf32=True), count), 0.1, 0.01)


@pytest.mark.skipif(not GPU, reason="compiling whole networks on a CPU takes minutes")
@every
@pytest.mark.parametrize("count", [1, 4])
def test_compiled_is_plain(name: str, count: int) -> None:
    compared(stepped(name, Precision(), count), stepped(name, Precision(compile="default"), count), EXACT)


class Small(nn.Module):
    """A recipe of one small network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), instance_norm(4), nn.ReLU(), nn.Conv2d(4, 3, 1))
        self.optimizers = {"G": Recorder(self.net.parameters())}

    def step(self, batch: Batch, clock: Clock) -> Iterator[Update]:
        yield Update("G", {"square": self.net(batch["a"]).square().mean()})

    def schedule(self, clock: Clock) -> float:
        return 1.0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_compiled_network_has_the_same_gradients() -> None:
    seen: dict[str, list[Tensor]] = {}
    for how in ("none", "default"):
        torch.manual_seed(0)
        recipe: Any = Small()
        batch = {"a": torch.rand(1, 3, 16, 16)}
        train(
            recipe,
            lambda step, given=batch: given,
            LoopConfig(1, precision=Precision(compile=how)),
            lambda clock, scalars: None,
        )
        seen[how] = recipe.optimizers["G"].seen
        assert (recipe.net._compiled_call_impl is not None) == (how == "default")
    for plain, made in zip(seen["none"], seen["default"], strict=True):
        torch.testing.assert_close(made, plain, rtol=EXACT, atol=1e-6)


@pytest.mark.skipif(not GPU, reason="CUDA graphs want a GPU")
@every
@pytest.mark.parametrize("count", [1, 4])
def test_replayed_graphs_are_plain(name: str, count: int) -> None:
    compared(stepped(name, Precision(), count), stepped(name, Precision(compile="graphs"), count), EXACT)


@each
def test_parts_add_up_to_the_whole_batch(name: str) -> None:
    config = UNCOUPLED[name] if name != "ugatit" else {**UNCOUPLED[name], "r1_weight": 0.0}
    whole = stepped(name, Precision(), 4, config=config)
    parts = stepped(name, Precision(), 4, accumulate=2, config=config)
    if name == "ugatit":  # each part is a power iteration of its spectral norms: only its generators' own losses agree
        for key in ("G/cycle_a", "G/cycle_b", "G/identity_a", "G/cam_a2b"):
            assert parts[1][key] == pytest.approx(whole[1][key], rel=1e-5)
        return
    if name == "cagan":  # its discriminator has spectral norms, too
        assert parts[1]["G/cycle"] == pytest.approx(whole[1]["G/cycle"], rel=1e-5)
        return
    compared(whole, parts, EXACT)


@every
def test_a_run_in_parts_and_channels_last_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    def batch(step: int) -> Batch:
        rng = generator("parts", step)
        images = {key: torch.rand(4, 3, SIDE, SIDE, generator=rng) * 2 - 1 for key in KEYS}
        return {**images, "labels": torch.eye(CLASSES)[torch.arange(4) % CLASSES]}

    def trained(
        steps: int, checkpoints: CheckpointManager | None, stop: Callable[[], bool] = lambda: False
    ) -> dict[str, Tensor]:
        recipe = build(name)
        loop_config = LoopConfig(
            steps, precision=Precision(channels_last=True), checkpoints=checkpoints, stop=stop, accumulate=2
        )
        train(recipe, batch, loop_config, lambda clock, scalars: None)
        return {key: value.clone() for key, value in recipe.state_dict().items()}

    whole, checkpoints, asked = trained(4, None), CheckpointManager(tmp_path), iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        trained(4, checkpoints, lambda: next(asked))
    assert equal(whole, trained(4, checkpoints))


def test_graphs_without_a_gpu_and_compilers_that_fail_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if not GPU:
        with pytest.raises(UsageError, match="CUDA graphs want a GPU"):
            stepped("cyclegan", Precision(compile="graphs"), 1)
    from torch._dynamo.exc import BackendCompilerFailed

    def fail(*_: object) -> None:
        raise BackendCompilerFailed(stepped, RuntimeError("no compiler"), None)

    refused = pytest.raises(CurateError, match=r"run\.compile: default: torch could not compile")
    with refused as caught, Precision(compile="default").running():
        fail()
    assert "run.compile to none" in caught.value.hint


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
def test_instance_norm_has_right_gradients_in_every_layout(count: int, affine: bool) -> None:
    torch.manual_seed(0)
    norm = InstanceNorm2d(6, affine=affine).to(DEVICE)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), norm, nn.ReLU(), nn.Conv2d(6, 3, 3)).to(DEVICE)
    images, upstream = torch.randn(count, 3, 12, 12, device=DEVICE), torch.randn(count, 3, 8, 8, device=DEVICE)
    wanted, made = (one_backward(net, images, upstream, layout) for layout in (False, True))
    for plain, other in zip(wanted, made, strict=True):
        torch.testing.assert_close(other, plain, rtol=1e-3, atol=1e-4)


def one_backward(net: nn.Module, images: Tensor, upstream: Tensor, channels_last: bool) -> list[Tensor]:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(memory_format=layout)
    given = images.clone(memory_format=layout).requires_grad_()
    out = net(given)
    return [out, *torch.autograd.grad((out * upstream).sum(), [given, *net.parameters()])]


def test_norms_keep_fp32_statistics_under_autocast() -> None:
    torch.manual_seed(0)
    images = (torch.randn(2, 4, 64, 64) * 0.01 + 3).bfloat16()  # a mean that 8 bits of mantissa can't take away
    for layout in (torch.contiguous_format, torch.channels_last):
        given = images.contiguous(memory_format=layout)
        with torch.autocast("cpu", torch.bfloat16):
            made = instance_norm(4)(given)
        wanted = instance_norm(4)(given.float())
        assert made.dtype == torch.bfloat16
        torch.testing.assert_close(made.float(), wanted, rtol=2**-8, atol=1e-6)
    layer: Any = spectral_norm(nn.Conv2d(16, 16, 3), eps=1e-12).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer.weight, layer.weight.float())
        under = layer.weight
    assert torch.equal(under, layer.weight)


def test_all_networks_have_the_norm_that_is_right_in_every_layout() -> None:
    for name in RECIPES:
        kind = RECIPES.resolve(name)
        for module in kind(parse(kind.Config, SMALL[name], "m")).modules():
            assert not isinstance(module, nn.InstanceNorm2d) or isinstance(module, InstanceNorm2d)


def test_frozen_networks_pass_gradients_on_and_get_none() -> None:
    net = nn.Linear(2, 1)
    held = net.bias.requires_grad_(False)
    given = torch.ones(1, 2, requires_grad=True)
    with frozen(net):
        out = net(given)
    out.backward()
    assert given.grad is not None and net.weight.grad is None
    assert net.weight.requires_grad and not held.requires_grad  # as before


def test_a_pool_keeps_no_more_than_its_images() -> None:
    pool = ImagePool(2)
    pool(torch.rand(8, 3, 4, 4)[:2])
    assert all(image.untyped_storage().nbytes() == image.nbytes for image in pool.images)
