"""A map of a set of crops: two numbers for each, so that those which are alike lie together.

van der Maaten & Hinton, Visualizing Data using t-SNE (2008), as it stands there, on as many crops as take about a
second; each other crop lies among those most like it. Equal features give an equal map, whatever their domains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.review.neighbours import Features

Map = NDArray[np.float64]  # [n, 2] in [0, 1]

PLACED = 600  # crops that are placed by each other
PERPLEXITY = 20.0  # neighbours that count
STEPS, EARLY = 300, 75  # EARLY of them with exaggerated attraction
_AMONG = 3  # crops that each further one lies among
_BLOCK = 4096


def place(directions: Features) -> Map:
    """Where each crop lies; `directions` [n, d] of length 1."""
    count = len(directions)
    if count < 4:
        return np.column_stack([np.linspace(0.2, 0.8, count), np.full(count, 0.5)])
    chosen = np.unique(np.linspace(0, count - 1, min(count, PLACED)).astype(np.int64))
    placed = _spread(directions[chosen])
    low, high = placed.min(0), placed.max(0)
    placed = (placed - low) / np.maximum(high - low, 1e-9)
    if len(chosen) == count:
        return placed
    found = np.empty((count, 2))
    for start in range(0, count, _BLOCK):
        alike = directions[start : start + _BLOCK] @ directions[chosen].T
        near = np.argpartition(-alike, _AMONG, axis=1)[:, :_AMONG]
        weights = np.exp(10.0 * np.take_along_axis(alike, near, 1))
        found[start : start + _BLOCK] = (placed[near] * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)
    found[chosen] = placed
    return found


def _spread(directions: Features) -> Map:
    """t-SNE of the cosine distances; begins with the two main axes, so that it is the same every time."""
    values = directions.astype(np.float64)
    attraction = _affinities(2.0 - 2.0 * values @ values.T).astype(np.float32)
    centred = values - values.mean(0)
    left, _, _ = np.linalg.svd(centred, full_matrices=False)
    left *= np.where(left[np.abs(left).argmax(0), np.arange(left.shape[1])] < 0, -1.0, 1.0)  # the sign is free
    places = (left[:, :2] * 1e-2 * np.sqrt(len(values))).astype(np.float32)
    moved, gains = np.zeros_like(places), np.ones_like(places)
    rate = max(len(values) / 12.0, 20.0)
    for step in range(STEPS):
        squares = np.square(places).sum(1)
        kernel = 1.0 / (1.0 + np.maximum(squares[:, None] + squares - 2.0 * places @ places.T, 0.0))
        np.fill_diagonal(kernel, 0.0)
        pull = attraction * (12.0 if step < EARLY else 1.0)
        force = (pull - kernel / kernel.sum()) * kernel
        gradient = 4.0 * (force.sum(1)[:, None] * places - force @ places)
        gains = np.where(np.sign(gradient) != np.sign(moved), gains + 0.2, np.maximum(gains * 0.8, 0.01))
        moved = (0.5 if step < EARLY else 0.8) * moved - rate * gains * gradient
        places = places + moved - (places + moved).mean(0)
    return places.astype(np.float64)


def _affinities(squares: Map) -> Map:
    """Symmetric probabilities [n, n]: each row's neighbours at the width that gives it the wanted perplexity."""
    count = len(squares)
    wanted = np.log(min(PERPLEXITY, (count - 1) / 3.0))
    apart = squares + np.diag(np.full(count, np.inf))
    apart = apart - apart.min(1, keepdims=True)
    low, high = np.full(count, -20.0), np.full(count, 20.0)  # of the precision's logarithm
    for _ in range(40):
        middle = (low + high) / 2.0
        weights = np.exp(-np.exp(middle)[:, None] * apart)
        shares = weights / weights.sum(1, keepdims=True)
        entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(1)
        low, high = np.where(entropy > wanted, middle, low), np.where(entropy > wanted, high, middle)
    return np.maximum((shares + shares.T) / (2.0 * count), 1e-12)
