"""Discriminators of two domains and what they learn from: a choice of networks, losses and regularisers.

All off, it is CycleGAN's: 0.5 (D(real) - 1)^2 + 0.5 D(fake)^2. Everything a discriminator is shown in one update goes
through it in one call, so that spectral norms are the same for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock
from curate.train.engine.rng import rand, to_device
from curate.train.gan.ada import AdaptiveAugment
from curate.train.gan.diffaugment import Move, cutmix, diff_augment, tint
from curate.train.gan.feature_queue import FeatureQueue
from curate.train.gan.losses import ADVERSARIAL, accuracy, consistency, gradient_penalty
from curate.train.networks.blocks import frozen
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.recipes.cyclegan.batch_discriminator import BatchDiscriminator
from curate.train.recipes.cyclegan.config import DiscriminatorConfig
from curate.train.recipes.cyclegan.dual_discriminator import DualDiscriminator
from curate.train.recipes.cyclegan.unet_discriminator import WIDTHS, UNetDiscriminator

WHOLE = "_global"  # added to the name of a loss of whole images' scores


def make_discriminator(config: DiscriminatorConfig) -> nn.Module:
    """The network of `config`, which gives a map of scores, or one score per image and a map. Raises UsageError."""
    size = config.size or 256
    if config.cutmix and config.discriminator != "unet":
        raise UsageError(
            "model.cutmix: only a U-Net has scores of pixels",
            "set model.discriminator to unet, or model.cutmix to false",
        )
    if config.discriminator in ("patch", "batch"):
        kind = PatchDiscriminator if config.discriminator == "patch" else BatchDiscriminator
        return kind(config.discriminator_width, config.discriminator_layers, norm=config.discriminator_norm)
    if config.discriminator_norm == "instance":
        raise UsageError(
            f"model.discriminator_norm: instance: {config.discriminator} has spectral norm alone",
            "set it to spectral, or leave it out",
        )
    if config.discriminator == "dual":
        if size % 64:
            raise UsageError(
                f"data.size: {size}: dual wants a multiple of 64", "set data.size, or model.discriminator to patch"
            )
        return DualDiscriminator(config.discriminator_width, size)
    if size not in WIDTHS:
        raise UsageError(f"data.size: {size}: unet wants one of {', '.join(map(str, WIDTHS))}", "set data.size to one")
    return UNetDiscriminator(config.discriminator_width, size)


def make_ada(config: DiscriminatorConfig) -> AdaptiveAugment | None:
    """The adaptive augmentation of one discriminator, where `config` wants it."""
    return AdaptiveAugment(config.ada_target, config.ada_kimg) if config.ada_target else None


def make_queue(config: DiscriminatorConfig) -> FeatureQueue | None:
    """The features of earlier images for one discriminator, where it judges beside them."""
    return FeatureQueue(config.batch_queue) if config.discriminator == "batch" else None


def generator_losses(
    config: DiscriminatorConfig,
    network: nn.Module,
    fake: Tensor,
    clock: Clock,
    ada: AdaptiveAugment | None = None,
    queue: FeatureQueue | None = None,
) -> dict[str, Tensor]:
    """The generator's losses for `fake` [N, 3, H, W], by suffix of their name. `ada`, `queue`: the discriminator's."""
    loss = ADVERSARIAL[config.adversarial].generator
    share = 0.5 if config.discriminator == "unet" else 1.0  # two views count half each; arXiv 2002.12655, eq. 6
    with frozen(network):
        scores = _judge(network, {"fake": _augment(config, fake, ada)}, queue)["fake"]
    weights = _view_weights(config, scores, clock)
    return {view: config.adversarial_weight * share * weight * loss(scores[view]) for view, weight in weights.items()}


class DiscriminatorLosses(NamedTuple):
    """What a discriminator learns from, and how often it is right."""

    losses: dict[str, Tensor]  # by suffix of their name
    accuracy: Tensor  # the share of its scores that are on the right side


def discriminator_losses(
    config: DiscriminatorConfig,
    network: nn.Module,
    real: Tensor,
    fresh: Tensor,
    pooled: Tensor,
    clock: Clock,
    ada: AdaptiveAugment | None = None,
    queue: FeatureQueue | None = None,
) -> DiscriminatorLosses:
    """The discriminator's losses for images [N, 3, H, W].

    `fresh` are this step's fakes, for consistency, and `pooled` those that it learns to tell from `real` ones. `ada`
    augments both, and counts the scores of the real ones; the `queue` takes in the features of both.
    """
    adversarial = ADVERSARIAL[config.adversarial]
    fresh = fresh.detach()
    shown = {"real": _augment(config, real, ada), "fake": _augment(config, pooled.to(real), ada)}
    moves, mask = _add_moved(config, network, shown, fresh), None
    if config.cutmix:
        mask = cutmix(len(real), real.shape[2], real.shape[3], real.device)
        shown["mixed"] = mask * shown["real"] + (1 - mask) * shown["fake"]
    if config.r1_weight:
        shown["penalised"] = _penalty_points(config, shown["real"], shown["fake"])
    scores = _judge(network, shown, queue)

    losses = {
        view: weight
        * 0.5
        * (adversarial.discriminator(scores["real"][view], 1.0) + adversarial.discriminator(scores["fake"][view], 0.0))
        for view, weight in _view_weights(config, scores["real"], clock).items()
    }  # the half slows it down against the generators; CycleGAN, section 7.1
    for kind, move in moves.items():
        weight = config.bcr_real_weight if kind == "real" else config.bcr_fake_weight
        losses[f"_bcr_{kind}"] = weight * _moved_consistency(network, scores[kind], scores[f"{kind} moved"], move)
    if mask is not None:
        losses |= _cutmix_losses(config, scores, mask, clock.ramp(config.cutmix_warmup))
    if config.r1_weight:
        of_images = torch.stack([score.flatten(1).mean(1) for score in scores["penalised"].values()]).sum(0)
        losses["_penalty"] = config.r1_weight * gradient_penalty(of_images, shown["penalised"])
    if ada is not None:
        ada.observe(scores["real"][""] - adversarial.boundary)
    return DiscriminatorLosses(
        {name: config.adversarial_weight * loss for name, loss in losses.items()},
        accuracy(scores["real"][""], scores["fake"][""], adversarial.boundary),
    )


def _augment(config: DiscriminatorConfig, images: Tensor, ada: AdaptiveAugment | None) -> Tensor:
    changed = diff_augment(images, config.augment)
    return changed if ada is None else ada(changed)


def _judge(network: nn.Module, shown: Mapping[str, Tensor], queue: FeatureQueue | None) -> dict[str, dict[str, Tensor]]:
    """The scores of each kind of image that is `shown`, by suffix: its map's, and the whole image's if any."""
    if queue is not None:
        assert isinstance(network, BatchDiscriminator)
        return {kind: {"": scores} for kind, scores in network.judge(shown, queue).items()}
    found = network(torch.cat(list(shown.values())))
    views = {"": found} if isinstance(found, Tensor) else {"": found[1], WHOLE: found[0]}
    counts = [len(images) for images in shown.values()]
    parts = {view: scores.split(counts) for view, scores in views.items()}
    return {kind: {view: part[i] for view, part in parts.items()} for i, kind in enumerate(shown)}


def _view_weights(config: DiscriminatorConfig, scores: Mapping[str, Tensor], clock: Clock) -> dict[str, float]:
    whole = config.global_weight * clock.ramp(config.global_warmup)
    return {view: whole if view == WHOLE else 1.0 for view in scores}


def _add_moved(
    config: DiscriminatorConfig, network: nn.Module, shown: dict[str, Tensor], fresh: Tensor
) -> dict[str, Move]:
    """Adds what balanced consistency compares to what is `shown`, and returns how each kind was moved."""
    moves = {}
    for kind, weight in (("real", config.bcr_real_weight), ("fresh", config.bcr_fake_weight)):
        if weight:
            images = shown.setdefault(kind, fresh)
            moves[kind] = Move.draw(len(images), config.bcr_shift, _stride(network), images.device)
            moved = moves[kind].apply(images)
            shown[f"{kind} moved"] = tint(moved, config.bcr_tint) if config.bcr_tint else moved
    return moves


def _moved_consistency(
    network: nn.Module, still: Mapping[str, Tensor], moved: Mapping[str, Tensor], move: Move
) -> Tensor:
    """How much the scores of moved images differ from those of the same ones unmoved, over all views.

    A map moves with its image: it is put back first, and what came in from outside does not count.
    """
    alike = [consistency(still[WHOLE], moved[WHOLE])] if WHOLE in still else []
    back, inside = move.undo(moved[""], _stride(network))
    return torch.stack([*alike, consistency(still[""], back, inside)]).sum()


def _stride(network: nn.Module) -> int:
    stride = network.stride
    assert isinstance(stride, int)
    return stride


def _cutmix_losses(
    config: DiscriminatorConfig, scores: Mapping[str, Mapping[str, Tensor]], mask: Tensor, ramp: float
) -> dict[str, Tensor]:
    """CutMix: pixels say where they come from, the whole is a fake, and a mix has the scores of its parts."""
    loss, mixed = ADVERSARIAL[config.adversarial].discriminator, scores["mixed"]
    parts = mask * scores["real"][""] + (1 - mask) * scores["fake"][""]
    return {
        "_cutmix": loss(mixed[""], mask) + ramp * loss(mixed[WHOLE], 0.0),
        "_consistency": ramp * consistency(mixed[""], parts),
    }


def _penalty_points(config: DiscriminatorConfig, real: Tensor, fake: Tensor) -> Tensor:
    """Where the gradient is penalised: at `real`, or at a random point between each real image and a fake."""
    if config.r1_at == "real":
        return real.detach().clone().requires_grad_()
    share = to_device(rand(len(real), 1, 1, 1), real.device)
    return (share * real + (1 - share) * fake).detach().requires_grad_()
