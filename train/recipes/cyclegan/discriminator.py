"""Discriminators of two domains and what they may be taught with: a choice of networks, losses and regularisers.

All off, it is CycleGAN's: 0.5 (D(real) - 1)^2 + 0.5 D(fake)^2. Everything a discriminator is shown in one update goes
through it in one call, so that spectral norms are the same for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import torch
from msgspec import Meta
from torch import Tensor, nn

from curate.pipeline.core.config import NonNegative, Positive, Section, Share
from curate.pipeline.core.errors import UsageError
from curate.train.engine.contract import Clock
from curate.train.engine.rng import rand, to_device
from curate.train.gan.ada import AdaptiveAugment
from curate.train.gan.diffaugment import Move, cutmix, diff_augment, tint
from curate.train.gan.losses import ADVERSARIAL, accuracy, consistency, gradient_penalty
from curate.train.networks.blocks import frozen
from curate.train.networks.patchgan import PatchDiscriminator
from curate.train.recipes.cyclegan.dual_discriminator import DualDiscriminator
from curate.train.recipes.cyclegan.unet_discriminator import WIDTHS, UNetDiscriminator

Weight = Annotated[float, Meta(ge=0.0)]

WHOLE = "_global"  # added to the name of a loss that judges whole images


class Judging(Section, frozen=True, kw_only=True):
    """How discriminators are built and taught."""

    gan_loss: Literal["lsgan", "bce", "hinge"] = "lsgan"
    d_kind: Literal["patch", "dual", "unet"] = "patch"  # patches; and the whole image; pixels and the whole image
    d_norm: Literal["instance", "spectral"] = "instance"  # dual and unet are always spectral
    ndf: Positive = 64  # width of the first layer; CycleGAN, appendix 7.2
    layers: Positive = 3  # of d_kind patch: 3 judge 70 px patches; CycleGAN, appendix 7.2
    size: Positive | None = None  # px, sides of the images, to which dual and unet are bound; None: data.size
    global_weight: Weight = 1.0  # of the whole image's score beside the map's
    global_warmup: Share = 0.0  # of the run, over which it rises from 0
    bcr_real: Weight = 0.0  # balanced consistency; Zhao et al., arXiv 2002.04724, section 3.1, has 10
    bcr_fake: Weight = 0.0  # the same for fakes; there 10
    bcr_shift: NonNegative = 16  # px, the longest shift of its images, in steps of the map's stride
    bcr_tint: Share = 0.0  # strength of its change of brightness, saturation and contrast
    cutmix: bool = False  # d_kind unet alone; Schonfeld et al., arXiv 2002.12655, section 3.2
    cutmix_warmup: Share = 0.1  # of the run, over which its consistency rises from 0
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()  # DiffAugment; Zhao et al., arXiv 2006.10738
    ada: Share = 0.0  # adaptive augmentation's target for E[sign(D(real))]; Karras et al., arXiv 2006.06676, has 0.6
    ada_kimg: Annotated[float, Meta(gt=0.0)] = 500.0  # thousand images from none to all; there 500
    penalty: Literal["none", "real", "mixed"] = "none"  # zero-centred, on real images (R1) or between real and fake
    penalty_weight: Weight = 5.0  # R1's gamma / 2; Mescheder et al., arXiv 1801.04406: 5. UVCGANv2, mixed: 0.01


def discriminator(config: Judging) -> nn.Module:
    """The network of `config`, which gives a map of scores, or one score per image and a map. Raises UsageError."""
    size = config.size or 256
    if config.cutmix and config.d_kind != "unet":
        raise UsageError(
            "model.cutmix: only a U-Net judges pixels", "set model.d_kind to unet, or model.cutmix to false"
        )
    if config.d_kind == "patch":
        return PatchDiscriminator(config.ndf, config.layers, norm=config.d_norm)
    if config.d_norm == "instance":
        raise UsageError(
            f"model.d_norm: instance: {config.d_kind} has spectral norm alone", "set it to spectral, or leave it out"
        )
    if config.d_kind == "dual":
        if size % 64:
            raise UsageError(
                f"data.size: {size}: dual wants a multiple of 64", "set data.size, or model.d_kind to patch"
            )
        return DualDiscriminator(config.ndf, size)
    if size not in WIDTHS:
        raise UsageError(f"data.size: {size}: unet wants one of {', '.join(map(str, WIDTHS))}", "set data.size to one")
    return UNetDiscriminator(config.ndf, size)


def adaptive(config: Judging) -> AdaptiveAugment | None:
    """The adaptive augmentation of one discriminator, where `config` wants it."""
    return AdaptiveAugment(config.ada, config.ada_kimg) if config.ada else None


def fooled(
    config: Judging, network: nn.Module, fake: Tensor, clock: Clock, ada: AdaptiveAugment | None = None
) -> dict[str, Tensor]:
    """The generator's losses for `fake` [N, 3, H, W], by suffix of their name. `ada` is the discriminator's."""
    fool = ADVERSARIAL[config.gan_loss].fool
    share = 0.5 if config.d_kind == "unet" else 1.0  # its two views count half each; arXiv 2002.12655, equation 6
    with frozen(network):
        scores = _views(network(_augmented(config, fake, ada)))
    return {view: share * weight * fool(scores[view]) for view, weight in _weights(config, scores, clock).items()}


class Judged(NamedTuple):
    """What a discriminator is taught, and how it does."""

    losses: dict[str, Tensor]  # by suffix of their name
    accuracy: Tensor  # the share of its judgements that are right


def judged(
    config: Judging,
    network: nn.Module,
    real: Tensor,
    fresh: Tensor,
    pooled: Tensor,
    clock: Clock,
    ada: AdaptiveAugment | None = None,
) -> Judged:
    """The discriminator's losses for images [N, 3, H, W].

    `fresh` are this step's fakes, for consistency, and `pooled` those that are to be told apart from `real` ones. `ada`
    augments both, and watches how the real ones are judged.
    """
    judge, middle = ADVERSARIAL[config.gan_loss].judge, ADVERSARIAL[config.gan_loss].middle
    fresh = fresh.detach()
    shown = {"real": _augmented(config, real, ada), "fake": _augmented(config, pooled.to(real), ada)}
    moves, mask = _add_moved(config, network, shown, fresh), None
    if config.cutmix:
        mask = cutmix(len(real), real.shape[2], real.shape[3], real.device)
        shown["mixed"] = mask * shown["real"] + (1 - mask) * shown["fake"]
    if config.penalty != "none":
        shown["probed"] = _probe(config, shown["real"], shown["fake"])
    seen = _split(network(torch.cat(list(shown.values()))), shown)

    losses = {
        view: weight * 0.5 * (judge(seen["real"][view], 1.0) + judge(seen["fake"][view], 0.0))
        for view, weight in _weights(config, seen["real"], clock).items()
    }  # the half slows it down against the generators; CycleGAN, section 7.1
    for kind, move in moves.items():
        weight = config.bcr_real if kind == "real" else config.bcr_fake
        losses[f"_bcr_{kind}"] = weight * _moved_alike(network, seen[kind], seen[f"{kind} moved"], move)
    if mask is not None:
        losses |= _mixed(config, seen, mask, _ramp(clock, config.cutmix_warmup))
    if config.penalty != "none":
        scores = torch.stack([score.flatten(1).mean(1) for score in seen["probed"].values()]).sum(0)
        losses["_penalty"] = config.penalty_weight * gradient_penalty(scores, shown["probed"])
    if ada is not None:
        ada.watch(seen["real"][""] - middle)
    return Judged(losses, accuracy(seen["real"][""], seen["fake"][""], middle))


def _augmented(config: Judging, images: Tensor, ada: AdaptiveAugment | None) -> Tensor:
    changed = diff_augment(images, config.augment)
    return changed if ada is None else ada(changed)


def _views(scores: Tensor | tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """A discriminator's scores by suffix: the map's, then the whole image's if it has one."""
    if isinstance(scores, Tensor):
        return {"": scores}
    whole, local = scores
    return {"": local, WHOLE: whole}


def _split(scores: Tensor | tuple[Tensor, Tensor], shown: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The scores of each kind of image that was `shown`, by suffix."""
    counts = [len(images) for images in shown.values()]
    parts = {view: score.split(counts) for view, score in _views(scores).items()}
    return {kind: {view: part[i] for view, part in parts.items()} for i, kind in enumerate(shown)}


def _weights(config: Judging, scores: Mapping[str, Tensor], clock: Clock) -> dict[str, float]:
    whole = config.global_weight * _ramp(clock, config.global_warmup)
    return {view: whole if view == WHOLE else 1.0 for view in scores}


def _ramp(clock: Clock, share: float) -> float:
    """From 0 to 1 over the first `share` of the run."""
    return min(1.0, clock.progress / share) if share else 1.0


def _add_moved(config: Judging, network: nn.Module, shown: dict[str, Tensor], fresh: Tensor) -> dict[str, Move]:
    """Adds what balanced consistency compares to what is `shown`, and returns how each kind was moved."""
    moves = {}
    for kind, weight in (("real", config.bcr_real), ("fresh", config.bcr_fake)):
        if weight:
            images = shown.setdefault(kind, fresh)
            moves[kind] = Move.draw(len(images), config.bcr_shift, _stride(network), images.device)
            moved = moves[kind].apply(images)
            shown[f"{kind} moved"] = tint(moved, config.bcr_tint) if config.bcr_tint else moved
    return moves


def _moved_alike(network: nn.Module, still: Mapping[str, Tensor], moved: Mapping[str, Tensor], move: Move) -> Tensor:
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


def _mixed(config: Judging, seen: Mapping[str, Mapping[str, Tensor]], mask: Tensor, ramp: float) -> dict[str, Tensor]:
    """CutMix: pixels say where they come from, the whole is a fake, and a mix is judged as its parts are."""
    judge = ADVERSARIAL[config.gan_loss].judge
    mixed = seen["mixed"]
    parts = mask * seen["real"][""] + (1 - mask) * seen["fake"][""]
    return {
        "_cutmix": judge(mixed[""], mask) + ramp * judge(mixed[WHOLE], 0.0),
        "_consistency": ramp * consistency(mixed[""], parts),
    }


def _probe(config: Judging, real: Tensor, fake: Tensor) -> Tensor:
    """Where the gradient is penalised: at `real`, or at a random point between each real image and a fake."""
    if config.penalty == "real":
        return real.detach().clone().requires_grad_()
    share = to_device(rand(len(real), 1, 1, 1), real.device)
    return (share * real + (1 - share) * fake).detach().requires_grad_()
