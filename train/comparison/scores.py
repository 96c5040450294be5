"""Measured numbers with their spread: what each is over bootstrap resamples of the images that it comes from.

Efron, Bootstrap Methods (1979): images are drawn anew, with replacement, and the number is computed on each draw. The
spread is the standard deviation over the draws. Draws are seeded, so equal images give equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from torch import Tensor

from curate.train.engine.rng import generator
from curate.train.evaluation import metrics

LEAST = 2  # images of which a number is made
MOST_TRIES = 100  # per draw


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A number and how far it can be trusted."""

    value: float
    spread: float  # standard deviation over the resamples
    images: int
    reference: float | None = None  # what it is read against; CATALOGUE says what that is


def mean(values: Tensor, resamples: int, reference: float | None = None) -> Score:
    """The mean of `values` [N], one per image. Raises ValueError for fewer than LEAST."""
    values = values.double().cpu()
    spread = _spread(lambda drawn: values[drawn].mean(), resamples, len(values))
    return Score(value=values.mean().item(), spread=spread, images=len(values), reference=reference)


def kid(real: Tensor, made: Tensor, resamples: int, reference: float | None = None) -> Score:
    """metrics.kid of features [M, d] and [N, d].

    A draw holds some images twice. Pairs of an image with itself are left out, as they are of the estimate itself:
    else every draw would look nearer to its own kind than any two images are.
    """
    real, made = real.double(), made.double()
    within, across, between = metrics.kernel(real, real), metrics.kernel(made, made), metrics.kernel(real, made)

    def drawn_kid(reals: Tensor, fakes: Tensor) -> Tensor:
        v, w = _counts(reals, len(real)), _counts(fakes, len(made))
        return _weighted(within, v) + _weighted(across, w) - 2.0 * (v @ between @ w) / (v.sum() * w.sum())

    spread = _spread(drawn_kid, resamples, len(real), len(made))
    return Score(
        value=metrics.kid(real, made)["kid"], spread=spread, images=min(len(real), len(made)), reference=reference
    )


def fid(real: Tensor, made: Tensor, resamples: int, reference: float | None = None) -> Score:
    """metrics.fid of features [M, d] and [N, d]."""

    def drawn_fid(reals: Tensor, fakes: Tensor) -> Tensor:
        return torch.tensor(metrics.fid(real[reals], made[fakes])["fid"])

    spread = _spread(drawn_fid, resamples, len(real), len(made))
    return Score(
        value=metrics.fid(real, made)["fid"], spread=spread, images=min(len(real), len(made)), reference=reference
    )


def diversity(real: Tensor, made: Tensor, resamples: int) -> Score:
    """metrics.diversity of features [M, d] and [N, d]; its reference, real images, is 1."""
    one, other = (torch.cdist(side.double(), side.double()) for side in (real, made))

    def drawn_diversity(reals: Tensor, fakes: Tensor) -> Tensor:
        given = _weighted(one, _counts(reals, len(real)))
        return _weighted(other, _counts(fakes, len(made))) / given.clamp_min(1e-12)

    value = metrics.diversity(real, made)["diversity"]
    spread = _spread(drawn_diversity, resamples, len(real), len(made))
    return Score(value=value, spread=spread, images=min(len(real), len(made)), reference=1.0)


def _weighted(between: Tensor, counts: Tensor) -> Tensor:
    """The mean of `between` [N, N] over pairs of two different images of a draw that holds each `counts` [N] times.

    Not finite where the draw is one image again and again: there is no pair.
    """
    total = counts @ between @ counts - (counts.square() * between.diagonal()).sum()
    return total / (counts.sum().square() - counts.square().sum())


def _counts(drawn: Tensor, count: int) -> Tensor:
    return drawn.bincount(minlength=count).double()


def _spread(estimate: Callable[..., Tensor], resamples: int, *counts: int) -> float:
    """The standard deviation of `estimate` over draws of so many images from each side; a draw that gives none is drawn
    anew."""
    if min(counts) < LEAST:
        raise ValueError(f"{min(counts)} images: {LEAST} are the least")
    rng = generator("bootstrap")
    estimates: list[Tensor] = []
    for _ in range(MOST_TRIES * resamples):
        drawn = estimate(*(torch.randint(count, (count,), generator=rng) for count in counts)).double()
        if drawn.isfinite():  # of LEAST images every second draw has no two that differ
            estimates.append(drawn)
        if len(estimates) == resamples:
            break
    if len(estimates) < LEAST:
        raise ValueError(f"{min(counts)} images: their numbers are not finite")
    return torch.stack(estimates).std().item()
