"""Losses: tensors in, one scalar out. They are computed in float32 whatever autocast makes of the networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def lsgan(prediction: Tensor, *, real: bool) -> Tensor:
    """Mean squared distance of a discriminator's map, any shape, from 1 (real) or 0 (fake).

    Mao et al., Least Squares Generative Adversarial Networks (2017), with the labels a = 0, b = c = 1.
    """
    return F.mse_loss(prediction.float(), torch.full_like(prediction, float(real), dtype=torch.float32))


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of two batches of images [N, C, H, W]."""
    return F.l1_loss(image.float(), target.float())


def masked_l2(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference of images [N, C, H, W] where `mask` [N, 1, H, W] in [0, 1] shows them.

    The mean is over what each mask shows, so that it does not depend on its size; an image whose mask is empty counts
    as 0.
    """
    squares = (mask * (image.float() - target).square()).sum((1, 2, 3))
    return (squares / (image.shape[1] * mask.sum((1, 2, 3)) + 1e-6)).mean()


def total_variation(mask: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, down and across, of a mask [N, 1, H, W]: little of a smooth one."""
    full = mask.float()
    return full.diff(dim=2).abs().mean() + full.diff(dim=3).abs().mean()


def indecision(mask: Tensor) -> Tensor:
    """From 0 for a mask [N, 1, H, W] of zeros and ones to 1 for one of halves, through which the old shines."""
    full = mask.float()
    return (4 * full * (1 - full)).mean()


def consistency(one: Tensor, other: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean squared difference of two maps [N, C, h, w] of scores, or of the places `where`, bool [N, 1, h, w].

    Zhao et al., Improved Consistency Regularization for GANs (2020), section 3.1.
    """
    squares = (one.float() - other.float()).square()
    return squares.mean() if where is None else (squares * where).sum() / where.expand_as(squares).sum().clamp(min=1)


@torch.no_grad()
def accuracy(real: Tensor, fake: Tensor, boundary: float) -> Tensor:
    """The share of scores, any shape, that are on the right side of `boundary`: real ones above, fakes below."""
    return ((real > boundary).float().mean() + (fake < boundary).float().mean()) / 2


@torch.no_grad()
def preference(one: Tensor, other: Tensor) -> Tensor:
    """The share of images for which the mean score of `one`, [N, ...], is above that of `other`; of equals, half."""
    better = (one.float().flatten(1).mean(1) - other.float().flatten(1).mean(1)).sign()
    return (better.mean() + 1) / 2


def gradient_penalty(scores: Tensor, images: Tensor) -> Tensor:
    """Mean squared length of the gradient of each image's score, [N], by the image, [N, C, H, W].

    Mescheder et al., Which Training Methods for GANs do actually Converge? (2018), equation 9 without gamma / 2.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()


class AdversarialLoss(NamedTuple):
    """One game between a generator and a discriminator, whose predictions are raw scores of any shape."""

    discriminator: Callable[[Tensor, Tensor | float], Tensor]
    """The discriminator's loss: (predictions, how real their images are, in [0, 1]: one number or one for each)."""
    generator: Callable[[Tensor], Tensor]
    """The generator's loss: (predictions for its fakes)."""
    boundary: float
    """The score between real and fake."""


def _squared(prediction: Tensor, real: Tensor | float) -> Tensor:
    return (prediction.float() - real).square().mean()


def _cross_entropy(prediction: Tensor, real: Tensor | float) -> Tensor:
    scores = prediction.float()
    return F.binary_cross_entropy_with_logits(scores, torch.as_tensor(real, device=scores.device).expand_as(scores))


def _hinge(prediction: Tensor, real: Tensor | float) -> Tensor:
    return F.relu(1.0 - (2.0 * real - 1.0) * prediction.float()).mean()


ADVERSARIAL: Mapping[str, AdversarialLoss] = {
    # Mao et al., Least Squares Generative Adversarial Networks (2017), labels 0 and 1.
    "lsgan": AdversarialLoss(_squared, lambda fake: _squared(fake, 1.0), 0.5),
    # Goodfellow et al., Generative Adversarial Nets (2014), with the generator's non-saturating loss of section 3.
    "bce": AdversarialLoss(_cross_entropy, lambda fake: _cross_entropy(fake, 1.0), 0.0),
    # Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), equations 16 and 17.
    "hinge": AdversarialLoss(_hinge, lambda fake: -fake.float().mean(), 0.0),
}
