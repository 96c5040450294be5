"""What every recipe lets a person choose about its losses and its optimiser: the same key, the same meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from curate.pipeline.core.config import Positive, Share
from curate.train.engine.config import ModelConfig

Weight = Annotated[float, Meta(ge=0.0)]
Beta = Annotated[float, Meta(ge=0.0, lt=1.0)]
Rate = Annotated[float, Meta(gt=0.0)]


class AdversarialConfig(ModelConfig, frozen=True, kw_only=True):
    """The keys of train.NAME.model that all recipes share. Each recipe gives them its paper's values."""

    width: Positive = 64  # channels of the generator's first layer
    adversarial: Literal["lsgan", "bce", "hinge"] = "lsgan"  # the loss between generator and discriminator
    adversarial_weight: Weight = 1.0  # of that loss for generators, and of all that discriminators learn from
    cycle_weight: Weight = 10.0  # of the L1 distance between an image and what comes back of it
    identity_weight: Weight = 0.0  # of the L1 distance where nothing is to change; 0 for none
    r1_weight: Weight = 0.0  # half of gamma, the gradient penalty on real images; Mescheder et al., arXiv 1801.04406: 5
    ema: Beta = 0.0  # decay of the generators' moving averages, which then render; 0 for none
    lr: Rate = 2e-4  # Adam's learning rate
    beta1: Beta = 0.5  # Adam's decay of the gradients' mean
    beta2: Beta = 0.999  # and of their squares


class AugmentedConfig(AdversarialConfig, frozen=True, kw_only=True):
    """The same, of recipes that can show their discriminators changed images."""

    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()  # DiffAugment; Zhao et al., arXiv 2006.10738


class MaskedConfig(AugmentedConfig, frozen=True, kw_only=True):
    """The same, of recipes that go there and back, and whose generators can paint through a mask."""

    generator: Literal["plain", "masked"] = "plain"  # paints all; or through a mask: the rest keeps the photo's pixels
    cycle_noise: Weight = 0.0  # std of noise on a fake before its way back: patterns that hide what was there are lost
    mask_weight: Weight = 0.1  # of a mask's mean; generator masked alone, as all of mask_
    mask_smooth_weight: Weight = 0.0  # of the mean difference of a mask's neighbouring px
    mask_decided_weight: Weight = 0.0  # of how far a mask's px are from 0 and 1
    mask_back_weight: Weight = 0.0  # of the L1 distance between the masks of the ways there and back
    mask_warmup: Share = 0.0  # of the run, over which these weights rise from 0
