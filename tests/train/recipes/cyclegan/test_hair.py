"""What the hair options must do: there is no reference to be equal to, so properties stand in for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate.pipeline.core.config import Params, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.tables import manifest
from curate.train.engine.checkpoint import CheckpointManager
from curate.train.engine.contract import Batch, Clock
from curate.train.engine.loop import LoopConfig, train
from curate.train.engine.rng import generator
from curate.train.gan.diffaugment import Move
from curate.train.gan.ema import EMA
from curate.train.gan.losses import ADVERSARIAL, lsgan
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.recipes.cyclegan import discriminator
from curate.train.recipes.cyclegan.config import CycleGANConfig
from curate.train.recipes.cyclegan.dual_discriminator import DualDiscriminator
from curate.train.recipes.cyclegan.recipe import CycleGAN
from curate.train.runs.config import from_dict, read
from curate.train.trainer import run
from tests.support.training import dataset, tiny, whole

SMALL = {"width": 4, "discriminator_width": 4, "blocks": 1, "discriminator_layers": 2, "pool": 2}
CLOCK = Clock(5, 10)


def config(**keys: Any) -> CycleGANConfig:
    return parse(CycleGANConfig, {**SMALL, **keys}, "model")


def built(**keys: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(config(**keys))


def batch(step: int, side: int = 32, count: int = 2) -> Batch:
    rng = generator("hair", step)
    images = {key: torch.rand(count, 3, side, side, generator=rng) * 2 - 1 for key in ("a", "b")}
    return images | {f"face_{key}": torch.rand(count, 1, side, side, generator=rng).round() for key in ("a", "b")}


def losses_of(made: CycleGANConfig, network: nn.Module, side: int = 32, clock: Clock = CLOCK) -> dict[str, Tensor]:
    torch.manual_seed(1)
    real, fresh, pooled = (torch.rand(2, 3, side, side) * 2 - 1 for _ in range(3))
    return discriminator.discriminator_losses(made, network, real, fresh, pooled, clock).losses


def fixed(monkeypatch: pytest.MonkeyPatch, flip: bool, down: int = 0, right: int = 0) -> None:
    """Every consistency move is this one."""

    def draw(count: int, reach: int, stride: int, device: torch.device) -> Move:
        return Move(*(torch.full((count,), value, device=device) for value in (flip, down, right)))

    monkeypatch.setattr(discriminator.Move, "draw", draw)


def symmetric(network: nn.Module) -> nn.Module:
    """The same network with kernels that are their own mirror images."""
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                weight = layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight
                weight.copy_((weight + weight.flip(3)) / 2)
    return network


BCR = {"bcr_real_weight": 10.0, "bcr_fake_weight": 10.0}


@pytest.mark.parametrize(
    "kind",
    [{"discriminator_norm": "spectral"}, {"discriminator": "dual", "size": 64}, {"discriminator": "unet", "size": 32}],
)
def test_consistency_is_nothing_where_nothing_moves(monkeypatch: pytest.MonkeyPatch, kind: dict[str, Any]) -> None:
    fixed(monkeypatch, flip=False)
    made = config(**kind, **BCR)
    losses = losses_of(made, discriminator.make_discriminator(made), kind.get("size", 32))
    for name in ("_bcr_real", "_bcr_fresh"):  # the same image at two places of a batch: equal up to rounding
        assert losses[name].item() == pytest.approx(0.0, abs=1e-9)


def test_consistency_costs_something_once_images_move() -> None:
    made = config(discriminator_norm="spectral", **BCR)
    losses = losses_of(made, discriminator.make_discriminator(made))
    assert losses["_bcr_real"] > 0 and losses["_bcr_fresh"] > 0


@pytest.mark.parametrize("kind", [{"discriminator_norm": "spectral"}, {"discriminator": "dual", "size": 64}])
def test_a_mirrored_image_is_judged_alike_by_symmetric_kernels_if_and_only_if_its_map_is_mirrored_back(
    monkeypatch: pytest.MonkeyPatch, kind: dict[str, Any]
) -> None:
    fixed(monkeypatch, flip=True)
    made = config(**kind, **BCR)
    network = symmetric(discriminator.make_discriminator(made))
    side = kind.get("size", 32)
    # Float rounding of mirrored sums, against scores of about 0.01 to 1.
    assert losses_of(made, network, side)["_bcr_real"].item() < 1e-10
    monkeypatch.setattr(Move, "undo", lambda self, maps, stride: (maps, torch.ones_like(maps[:, :1], dtype=torch.bool)))
    assert losses_of(made, network, side)["_bcr_real"].item() > 1e-6


def test_a_shifted_image_moves_the_map_by_whole_places() -> None:
    torch.manual_seed(0)
    network = symmetric(PatchDiscriminator(4, 2, norm="spectral").eval())
    images = torch.rand(1, 3, 96, 96)
    move = Move(torch.tensor([True]), torch.tensor([8]), torch.tensor([-12]))
    with torch.no_grad():
        still, (back, inside) = network(images), move.undo(network(move.apply(images)), 4)
    far = slice(8, -8)  # from the edges, where padding shows
    assert inside[..., far, far].all()
    assert torch.allclose(still[..., far, far], back[..., far, far], atol=1e-5)
    assert not inside[..., -2:, :].any(), "what fell out below comes back from nowhere"
    assert inside.sum() == (inside.shape[2] - 2) * (inside.shape[3] - 3)


def test_no_consistency_reaches_a_generator() -> None:
    recipe = built(discriminator_norm="spectral", **BCR)
    update = list(recipe.step(batch(0), CLOCK))[-1]
    total = torch.stack(list(update.losses.values())).sum()
    generators = [*recipe.g_a2b.parameters(), *recipe.g_b2a.parameters()]
    assert all(g is None for g in torch.autograd.grad(total, generators, allow_unused=True))


def test_with_everything_off_the_losses_are_cyclegans() -> None:
    recipe, images = built(pool=0), batch(0)
    updates = recipe.step(images, CLOCK)
    g, d = whole(updates), whole(updates)
    fake_b, fake_a = recipe.g_a2b(images["a"]), recipe.g_b2a(images["b"])
    expected = {
        "gan_a2b": lsgan(recipe.d_b(fake_b), real=True),
        "gan_b2a": lsgan(recipe.d_a(fake_a), real=True),
        "cycle_a": 10 * (recipe.g_b2a(fake_b) - images["a"]).abs().mean(),
        "cycle_b": 10 * (recipe.g_a2b(fake_a) - images["b"]).abs().mean(),
        "identity_a": 5 * (recipe.g_b2a(images["a"]) - images["a"]).abs().mean(),
        "identity_b": 5 * (recipe.g_a2b(images["b"]) - images["b"]).abs().mean(),
        "d_a": (lsgan(recipe.d_a(images["a"]), real=True) + lsgan(recipe.d_a(fake_a), real=False)) / 2,
        "d_b": (lsgan(recipe.d_b(images["b"]), real=True) + lsgan(recipe.d_b(fake_b), real=False)) / 2,
    }
    made = {**g.losses, **d.losses}
    assert made.keys() == expected.keys()
    for name, value in expected.items():
        assert made[name].item() == pytest.approx(value.item(), rel=1e-6, abs=1e-7), name


@pytest.mark.parametrize("adversarial", ADVERSARIAL)
def test_a_map_of_ones_or_zeros_is_judged_as_plainly_real_or_fake(adversarial: str) -> None:
    loss, scores = ADVERSARIAL[adversarial].discriminator, torch.randn(2, 1, 4, 4)
    for real in (1.0, 0.0):
        assert loss(scores, torch.full_like(scores, real)).item() == pytest.approx(loss(scores, real).item())


def test_a_mix_that_is_all_real_is_judged_as_the_real_image(monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(discriminator="unet", size=32, cutmix=True)
    network = discriminator.make_discriminator(made)
    monkeypatch.setattr(discriminator, "cutmix", lambda n, h, w, device: torch.ones(n, 1, h, w))
    assert losses_of(made, network)["_consistency"].item() == 0.0
    monkeypatch.undo()
    assert losses_of(made, network)["_consistency"].item() > 0.0


def test_cutmix_warms_up_but_for_its_pixels() -> None:
    made = config(discriminator="unet", size=32, cutmix=True, cutmix_warmup=0.5)
    network = discriminator.make_discriminator(made).eval()
    cold, half, warm = (losses_of(made, network, clock=Clock(step, 100)) for step in (0, 25, 75))
    assert cold["_consistency"] == 0
    assert half["_consistency"].item() == pytest.approx(warm["_consistency"].item() / 2, rel=1e-5)
    assert cold["_cutmix"].item() + warm["_cutmix"].item() == pytest.approx(2 * half["_cutmix"].item(), rel=1e-5)
    assert cold["_cutmix"] > 0


def test_the_global_score_has_its_weight_and_its_warm_up() -> None:
    network = DualDiscriminator(4, 64).eval()
    blog = losses_of(config(discriminator="dual", size=64), network, 64)
    weighed = config(discriminator="dual", size=64, global_weight=0.3, global_warmup=0.5)
    assert losses_of(weighed, network, 64, Clock(0, 100))["_global"] == 0
    assert losses_of(weighed, network, 64, Clock(80, 100))["_global"].item() == pytest.approx(
        0.3 * blog["_global"].item()
    )
    fake = torch.rand(1, 3, 64, 64)
    made = discriminator.generator_losses(weighed, network, fake, Clock(25, 100))
    whole, local = network(fake)
    assert made[""].item() == pytest.approx((local - 1).square().mean().item())
    assert made["_global"].item() == pytest.approx(0.15 * (whole - 1).square().mean().item())


@pytest.mark.parametrize("penalty", ["real", "mixed"])
def test_the_penalty_is_the_squared_gradient_of_each_images_score(penalty: str) -> None:
    class Linear(nn.Module):
        """The score's gradient is 2 at every value of the image."""

        def forward(self, images: Tensor) -> Tensor:
            return 2 * images.sum((1, 2, 3), keepdim=True)

    made = config(r1_at=penalty, r1_weight=3.0)
    assert losses_of(made, Linear(), 8)["_penalty"].item() == pytest.approx(3 * 4 * 3 * 8 * 8)


def test_the_face_loss_is_free_without_a_face_and_ignores_the_rest_of_the_image() -> None:
    recipe, images = built(face_weight=10.0, pool=0), dict(batch(0))
    images["face_a"] = torch.zeros_like(images["face_a"])
    images["face_b"] = torch.zeros_like(images["face_b"])
    images["face_b"][..., :8, :8] = 1.0
    made = whole(recipe.step(images, CLOCK)).losses
    fake_a = recipe.g_b2a(images["b"])
    assert made["face_a"] == 0
    corner = (fake_a - images["b"])[..., :8, :8].square().mean((1, 2, 3)).mean()
    assert made["face_b"].item() == pytest.approx(10 * corner.item(), rel=1e-4)


def test_the_face_branch_sees_the_face_and_nothing_else_twice() -> None:
    recipe = built(face_branch=True)
    images = batch(0)
    made = recipe.render({"a": images["a"], "face_a": images["face_a"]})["a2b"]
    assert made.shape == images["a"].shape
    assert not torch.equal(made, recipe.render({"a": images["a"]})["a2b"])
    none = torch.zeros_like(images["face_a"])
    assert torch.equal(
        recipe.render({"a": images["a"], "face_a": none})["a2b"], recipe.render({"a": images["a"]})["a2b"]
    )


def test_on_the_way_back_the_face_is_where_the_original_had_it() -> None:
    recipe, images = built(face_branch=True, identity_weight=0.0), batch(0)
    masks: dict[str, list[Tensor]] = {"a2b": [], "b2a": []}
    recipe.g_a2b.register_forward_pre_hook(lambda _, inputs: masks["a2b"].append(inputs[1]))
    recipe.g_b2a.register_forward_pre_hook(lambda _, inputs: masks["b2a"].append(inputs[1]))
    whole(recipe.step(images, CLOCK))
    for direction, source, first in (("a2b", "face_a", 0), ("b2a", "face_b", 1)):
        back = "face_b" if source == "face_a" else "face_a"
        assert torch.equal(masks[direction][first], images[source])
        assert torch.equal(masks[direction][1 - first], images[back])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cutmix": True}, "model.cutmix"),
        ({"discriminator": "dual", "size": 96}, "data.size: 96"),
        ({"discriminator": "unet", "size": 48}, "data.size: 48"),
        ({"discriminator": "dual", "discriminator_norm": "instance"}, "model.discriminator_norm"),
    ],
)
def test_options_that_do_not_go_together_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        built(**keys)


def test_presets_are_the_articles_last_model_and_the_recommended_one() -> None:
    plain, blog, hair = (parse(CycleGANConfig, {"preset": name}, "model") for name in ("plain", "blog", "hair"))
    assert plain == CycleGANConfig()
    assert (
        blog.discriminator,
        blog.discriminator_norm,
        blog.global_weight,
        blog.bcr_real_weight,
        blog.bcr_fake_weight,
    ) == (
        "dual",
        "spectral",
        1,
        10,
        10,
    )
    assert (blog.ema, blog.face_weight, blog.face_branch, blog.upsampling) == (0.0, 0.0, False, "transposed")
    assert (hair.face_weight, hair.ema, hair.upsampling, hair.global_weight) == (10.0, 0.999, "nearest", 0.3)
    assert CycleGAN.keys(hair) == ("a", "b", "face_a", "face_b") and CycleGAN.keys(blog) == ("a", "b")


def test_a_preset_gives_way_to_what_is_written_down_and_to_another_preset() -> None:
    file = Params({"train": {"cyclegan": {"model": {"preset": "hair", "ema": 0.5}, "data": {"size": 128}}}}, None)
    made = read(file, "cyclegan")
    assert (made.model.ema, made.model.discriminator, made.model.size) == (0.5, "dual", 128)  # type: ignore[attr-defined]
    blog = read(file, "cyclegan", {"model.preset": "blog"}).model
    assert blog == parse(CycleGANConfig, {"preset": "blog", "ema": 0.5, "size": 128}, "model")
    plain = read(file, "cyclegan", {"model.preset": "plain", "model.ema": 0.0}).model
    assert plain == parse(CycleGANConfig, {"size": 128}, "model")
    assert from_dict(made.as_dict()) == made


def test_faces_that_nobody_found_are_told_before_training(tmp_path: Path) -> None:
    dataset(tmp_path)
    settings = tiny(model__face_weight=10.0)
    with pytest.raises(UsageError, match="no crop of 'long' has landmarks"):
        run.prepare(settings, tmp_path)


def test_a_run_with_faces_shows_and_resumes_like_any_other(tmp_path: Path) -> None:
    dataset(tmp_path)
    rows = manifest.read(manifest.DATASET, tmp_path).to_pylist()
    square = [12.0, 12.0, 36.0, 12.0, 36.0, 36.0, 12.0, 36.0] * 17
    rows = [{**row, "landmarks": square if n % 3 else None} for n, row in enumerate(rows)]
    manifest.write(manifest.DATASET, manifest.from_rows(manifest.DATASET, rows), tmp_path)
    settings = tiny(model__face_weight=10.0, model__face_branch=True, model__augment=["color"], run__steps=3)
    assert run.run(settings, tmp_path, tmp_path / "run").trained == 3
    assert (tmp_path / "run" / "samples" / "latest.png").is_file()
    more = tiny(model__face_weight=10.0, model__face_branch=True, model__augment=["color"], run__steps=4)
    assert run.run(more, tmp_path, tmp_path / "run").trained == 1


EVERYTHING: Mapping[str, Mapping[str, Any]] = {
    "hair": {"preset": "hair", "size": 64},
    "unet": {
        "discriminator": "unet",
        "size": 32,
        "cutmix": True,
        "adversarial": "bce",
        "ema": 0.9,
        "r1_weight": 5.0,
        "r1_at": "mixed",
        **BCR,
    },
    "patch": {
        "adversarial": "hinge",
        "augment": ["color", "translation", "cutout"],
        "r1_weight": 5.0,
        "face_branch": True,
    },
    "masked": {
        "generator": "masked",
        "cycle_noise": 0.15,
        "mask_back_weight": 1.0,
        "mask_warmup": 0.9,
        "face_weight": 1.0,
    },
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_resumed_run_is_bit_equal_with_every_option_on(name: str, tmp_path: Path) -> None:
    keys = EVERYTHING[name]
    side = keys.get("size", 32)

    def state(recipe: CycleGAN, loop_config: LoopConfig) -> dict[str, Tensor]:
        train(recipe, lambda step: batch(step, side, 1), loop_config, lambda clock, scalars: None)
        return {key: value.clone() for key, value in recipe.state_dict().items()}

    whole = state(built(**keys), LoopConfig(4))
    asked = iter([False, True])
    checkpoints = CheckpointManager(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        state(built(**keys), LoopConfig(4, checkpoints=checkpoints, checkpoint_every=100, stop=lambda: next(asked)))
    resumed = state(built(**keys), LoopConfig(4, checkpoints=checkpoints))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert not any(
        torch.equal(whole[key], value)
        for key, value in built(**keys).state_dict().items()
        if "g_a2b" in key and key.endswith("weight")
    )


def test_the_average_follows_and_renders() -> None:
    recipe, images = built(ema=0.9), batch(0)
    assert recipe.average_a2b is not None
    before = recipe.render(images)["a2b"]
    updates = recipe.step(images, Clock(50, 100))
    whole(updates)
    with torch.no_grad():
        for parameter in recipe.g_a2b.parameters():
            parameter.add_(1.0)
    old = [p.clone() for p in recipe.average_a2b.parameters()]
    list(updates)
    decay = min(0.9, 51 / 60)  # early on it follows faster
    for mine, was, theirs in zip(recipe.average_a2b.parameters(), old, recipe.g_a2b.parameters(), strict=True):
        assert torch.allclose(mine, decay * was + (1 - decay) * theirs, atol=1e-6)
    assert not torch.equal(recipe.render(images)["a2b"], before)


def test_an_average_takes_buffers_as_they_are() -> None:
    network = nn.BatchNorm1d(2)
    average = EMA(network, 0.5)
    network(torch.randn(8, 2) + 3)
    average.update(network, 0)
    assert torch.equal(average.network.get_buffer("running_mean"), network.get_buffer("running_mean"))
