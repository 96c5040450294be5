"""A small classifier that tells two domains apart: whether a translated photo is taken for one of the other kind."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PENALTY = 0.01  # on the squared weights: a few dozen images must not be learnt by heart
STEPS = 50  # at the most; it has converged long before
TINY = 1e-8


@dataclass(frozen=True)
class DomainClassifier:
    """Logistic regression on a net's features; both domains count alike, however many images each has."""

    mean: Tensor  # [d]
    scale: Tensor  # [d]
    weights: Tensor  # [d]
    bias: Tensor  # []

    def is_second(self, features: Tensor) -> Tensor:
        """For each of `features` [N, d] whether it is taken for one of the second domain: bool [N]."""
        return _scaled(features, self.mean, self.scale) @ self.weights + self.bias > 0


def train(first: Tensor, second: Tensor) -> DomainClassifier:
    """The classifier of features [N, d] and [M, d] of either domain's training images.

    Newton's method on the penalised likelihood, which has one maximum: deterministic, and there in a few steps.
    """
    features = torch.cat([first, second]).double()
    labels = torch.cat([torch.zeros(len(first)), torch.ones(len(second))]).double()
    counts = torch.where(labels > 0, len(labels) / (2 * len(second)), len(labels) / (2 * len(first))) / len(labels)
    mean, scale = features.mean(0), features.std(0).clamp_min(1e-6)
    x = _scaled(features, mean, scale)
    basis = torch.linalg.qr(x.T).Q  # the best weights lie among the images: of few, the equations are few, too
    x = torch.cat([x @ basis, torch.ones(len(labels), 1).double()], 1)
    penalty = torch.full((x.shape[1],), PENALTY).double()
    penalty[-1] = TINY  # the bias is free
    weights = torch.zeros(x.shape[1]).double()
    for _ in range(STEPS):
        chances = torch.sigmoid(x @ weights)
        slope = x.T @ (counts * (chances - labels)) + penalty * weights
        bend = (x.T * (counts * chances * (1.0 - chances))) @ x + penalty.diag()
        step = torch.linalg.solve(bend, slope)
        weights = weights - step
        if step.abs().max() < TINY:
            break
    return DomainClassifier(mean, scale, basis @ weights[:-1], weights[-1])


def _scaled(features: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Each feature around 0, and a whole image's about of unit length."""
    return (features.double() - mean) / scale / features.shape[1] ** 0.5
