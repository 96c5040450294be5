"""A small classifier that tells two domains apart: whether a translated photo is taken for one of the other kind."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PENALTY = 0.01  # on the squared weights: a few dozen images must not be learnt by heart
STEPS = 100  # of L-BFGS, at the most; it has converged long before


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
    """The classifier of features [N, d] and [M, d] of either domain's training images. Deterministic."""
    features = torch.cat([first, second]).double()
    labels = torch.cat([torch.zeros(len(first)), torch.ones(len(second))]).double()
    mean, scale = features.mean(0), features.std(0).clamp_min(1e-6)
    x = _scaled(features, mean, scale)
    balance = torch.where(labels > 0, len(labels) / (2 * len(second)), len(labels) / (2 * len(first)))
    weights, bias = torch.zeros(x.shape[1]).double().requires_grad_(), torch.zeros(()).double().requires_grad_()
    solver = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        error = F.binary_cross_entropy_with_logits(x @ weights + bias, labels, balance)
        value = error + PENALTY / 2 * weights.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
    return DomainClassifier(mean, scale, weights.detach(), bias.detach())


def _scaled(features: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Each feature around 0, and a whole image's about of unit length."""
    return (features.double() - mean) / scale / features.shape[1] ** 0.5
