"""Directions in the space of w along which one thing about a picture changes. numpy only; no pictures, no networks.

With labels: the difference of the means, and the normal of a linear SVM. Without: the principal components of w
(Haerkoenen et al., GANSpace, 2020), and the eigenvectors of what the generator does with w first (Shen and Zhou,
Closed-Form Factorization of Latent Semantics in GANs, SeFa, 2021, section 3).

All directions are unit vectors, float64 [w_dim].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

COSTS = (1e-3, 1e-2, 1e-1, 1.0)  # of the SVM's errors, of which the best on validation is taken
FOLDS = 4
HELD_OUT = 0.2  # share of each class on which the SVM is measured
_STEPS = 50  # of Newton, which needs about ten
_TINY = 1e-12


class Separation(NamedTuple):
    """How well a plane parts two classes: `accuracy` is the mean of both classes' on `held_out` pictures that it was
    not fitted on, 0..1; 0.5 is chance."""

    direction: Floats
    accuracy: float
    held_out: int
    cost: float | None = None


def mean_difference(codes: Floats, positive: Flags) -> Floats:
    """From the mean of the others to the mean of the `positive` of `codes` [n, w_dim].

    The article's other formula, mean(positive) - mean(all), is this one times the share of the others; and the mean
    over all pairs of a positive and another one, which it thought too heavy, is this one itself.
    """
    return unit(codes[positive].mean(axis=0) - codes[~positive].mean(axis=0))


def mean_separation(codes: Floats, positive: Flags, seed: int = 0) -> Separation:
    """`mean_difference`, and how well the plane halfway between the means parts pictures that are held out."""
    held = _folds(positive, round(1 / HELD_OUT), np.random.default_rng(seed)) == 0
    rest, label = codes[~held], positive[~held]
    way = mean_difference(rest, label)
    offset = -float((rest[label].mean(axis=0) + rest[~label].mean(axis=0)) @ way) / 2
    accuracy = _accuracy(way, offset, codes[held], positive[held])
    return Separation(mean_difference(codes, positive), accuracy, int(held.sum()))


def separate(codes: Floats, positive: Flags, seed: int = 0) -> Separation:
    """The normal of the linear SVM that parts the `positive` of `codes` [n, w_dim] from the others.

    Both classes weigh the same, however many they are. A fifth of each is held out for the accuracy; the cost of errors
    is chosen by cross-validation on the rest, and the direction is fitted on all.
    """
    rng = np.random.default_rng(seed)
    scale = float(codes.std()) or 1.0
    points = (codes - codes.mean(axis=0)) / scale
    held = _folds(positive, round(1 / HELD_OUT), rng) == 0
    rest, label = points[~held], positive[~held]
    parts = _folds(label, FOLDS, rng)
    scores = [
        np.mean([_accuracy(*fit_svm(rest[parts != p], label[parts != p], cost), rest[parts == p], label[parts == p])
                 for p in range(FOLDS)])
        for cost in COSTS
    ]  # fmt: skip
    cost = COSTS[int(np.argmax(scores))]
    accuracy = _accuracy(*fit_svm(rest, label, cost), points[held], positive[held])
    return Separation(unit(fit_svm(points, positive, cost)[0]), accuracy, int(held.sum()), cost)


def fit_svm(points: Floats, positive: Flags, cost: float) -> tuple[Floats, float]:
    """The linear SVM with squared hinge loss and balanced classes: normal [d] and offset.

        min over v, b of |v|^2 / 2 + cost sum_i c_i max(0, 1 - y_i (v . x_i + b))^2,   c_i = n / (2 n of i's class)

    Solved in the primal by Newton's method (Chapelle, Training a Support Vector Machine in the Primal, 2007, section
    3): the loss is quadratic as long as the same points are within the margin, so a few steps end at the minimum.
    """
    count, width = points.shape
    sign = np.where(positive, 1.0, -1.0)
    share = np.where(positive, positive.mean(), 1 - positive.mean())
    weight = cost / np.maximum(2 * share, _TINY)
    x = np.column_stack([points, np.ones(count)])
    ridge = np.append(np.ones(width), 1e-6)  # nearly nothing on the offset
    solution = np.zeros(width + 1)

    def loss(v: Floats) -> float:
        return float((ridge * v * v).sum() / 2 + (weight * np.maximum(0, 1 - sign * (x @ v)) ** 2).sum())

    value = loss(solution)
    for _ in range(_STEPS):
        inside = sign * (x @ solution) < 1
        near, w = x[inside], 2 * weight[inside]
        gradient = ridge * solution - near.T @ (w * (sign[inside] - near @ solution))
        step = np.linalg.solve(np.diag(ridge) + (near.T * w) @ near, -gradient)
        size = 1.0
        while size > 1e-4 and loss(solution + size * step) > value:
            size /= 2
        solution = solution + size * step
        before, value = value, loss(solution)
        if before - value <= 1e-10 * max(before, 1.0):
            break
    return solution[:-1], float(solution[-1])


def principal(codes: Floats, count: int) -> Floats:
    """The `count` principal components of `codes` [n, w_dim], by falling variance: [count, w_dim]."""
    _, _, axes = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:count])


def factorised(weights: Sequence[Floats], count: int) -> Floats:
    """The `count` directions that change most what the layers with `weights`, each [channels, w_dim], make of w.

    SeFa, equation (6): the eigenvectors of A^T A with the largest eigenvalues, A all weights one upon the other.
    """
    stacked = np.concatenate(list(weights))
    _, vectors = np.linalg.eigh(stacked.T @ stacked)
    return np.asarray(vectors[:, ::-1][:, :count].T)


def orthogonal_to(direction: Floats, others: Sequence[Floats]) -> Floats:
    """What of `direction` lies in none of `others`. Raises UsageError where next to nothing is left."""
    if not others:
        return direction
    basis, _ = np.linalg.qr(np.stack(others, axis=1))
    rest = direction - basis @ (basis.T @ direction)
    if float(np.linalg.norm(rest)) < 1e-3:
        raise UsageError("--orthogonal-to: nothing is left of the direction", "it is one of those; leave one out")
    return unit(rest)


def spread(codes: Floats, direction: Floats) -> float:
    """The standard deviation of `codes` [n, w_dim] along `direction`: what an amount of 1 stands for."""
    return float((codes @ direction).std())


def correlations(codes: Floats, direction: Floats, measures: Floats) -> Floats:
    """Of the place of `codes` [n, w_dim] along `direction` with each column of `measures` [n, m], which may have NaN.

    NaN where a measure is known of fewer than three or the same for all.
    """
    place = codes @ direction
    found = np.full(measures.shape[1], np.nan)
    for column in range(measures.shape[1]):
        known = np.isfinite(measures[:, column])
        if known.sum() >= 3 and (values := measures[known, column]).std() > _TINY and place[known].std() > _TINY:
            found[column] = np.corrcoef(place[known], values)[0, 1]
    return found


def unit(vector: Floats) -> Floats:
    """`vector` at length 1. Raises UsageError for one without length."""
    length = float(np.linalg.norm(vector))
    if not length > _TINY:
        raise UsageError("no direction: both groups have the same mean", "label more pictures, or others")
    return np.asarray(vector / length)


def _accuracy(normal: Floats, offset: float, points: Floats, positive: Flags) -> float:
    """The mean of both classes' share of points on their own side."""
    right = (points @ normal + offset > 0) == positive
    return float(np.mean([right[side].mean() for side in (positive, ~positive) if side.any()]))


def _folds(positive: Flags, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A number 0..count-1 for each point, each class dealt out evenly."""
    fold = np.empty(len(positive), np.int64)
    for side in (positive, ~positive):
        fold[side] = rng.permutation(int(side.sum())) % count
    return fold
