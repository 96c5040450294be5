"""Directions in w: each method finds the one that the codes were made with."""

from __future__ import annotations

import numpy as np
import pytest

from curate.pipeline.core.errors import UsageError
from curate.train.latent import directions

WIDTH = 8


def codes(count: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, WIDTH)) * 0.5 + 3.0


def axis() -> np.ndarray:
    return directions.unit(np.arange(1.0, WIDTH + 1))


def test_both_methods_find_what_the_labels_depend_on() -> None:
    w = codes()
    positive = w @ axis() > np.quantile(w @ axis(), 0.8)  # one in five
    found = directions.separate(w, positive)
    assert directions.mean_difference(w, positive) @ axis() > 0.97
    assert found.direction @ axis() > 0.99
    assert found.accuracy > 0.95
    assert found.held_out == 80


def test_the_mean_of_all_pairs_is_the_difference_of_means() -> None:
    w = codes(30)
    positive = np.arange(30) % 3 == 0
    pairs = (w[positive][:, None] - w[~positive][None]).reshape(-1, WIDTH).mean(0)
    article = w[positive].mean(0) - w.mean(0)
    assert directions.mean_difference(w, positive) == pytest.approx(directions.unit(pairs))
    assert directions.mean_difference(w, positive) == pytest.approx(directions.unit(article))


def test_labels_that_mean_nothing_are_held_out_at_chance() -> None:
    w = codes(600, 1)
    positive = np.random.default_rng(2).random(600) < 0.3
    assert abs(directions.separate(w, positive).accuracy - 0.5) < 0.15


def test_the_svm_is_at_its_minimum() -> None:
    """No step to any side makes the loss smaller, by a loss that is written down once more here."""
    w, cost = codes(60) - 3.0, 0.5
    positive = w[:, 0] + 0.3 * np.random.default_rng(3).standard_normal(60) > 0.2
    normal, offset = directions.fit_svm(w, positive, cost)

    def loss(v: np.ndarray, b: float) -> float:
        total = v @ v / 2
        for x, is_one in zip(w, positive, strict=True):
            share = positive.mean() if is_one else 1 - positive.mean()
            total += cost / (2 * share) * max(0.0, 1 - (1 if is_one else -1) * (v @ x + b)) ** 2
        return float(total)

    least = loss(normal, offset)
    for nudge in np.eye(WIDTH) * 1e-3:
        assert loss(normal + nudge, offset) > least
        assert loss(normal - nudge, offset) > least
    assert loss(normal, offset + 1e-3) > least - 1e-8


def test_the_unlabelled_ones() -> None:
    w = codes(500) + np.outer(np.random.default_rng(4).standard_normal(500) * 4, axis())
    assert abs(directions.principal(w, 2)[0] @ axis()) > 0.99
    weights = [np.outer(np.ones(5), axis()) * 3 + np.eye(5, WIDTH) * 0.1, np.outer(np.ones(3), axis())]
    found = directions.factorised(weights, 3)
    assert found.shape == (3, WIDTH)
    assert abs(found[0] @ axis()) > 0.99
    assert found @ found.T == pytest.approx(np.eye(3))


def test_orthogonal_to_several_at_once() -> None:
    first, second = axis(), directions.unit(np.ones(WIDTH))
    rest = directions.orthogonal_to(np.eye(WIDTH)[0], [first, second])
    assert [rest @ first, rest @ second, rest @ rest] == pytest.approx([0, 0, 1])
    with pytest.raises(UsageError, match="nothing is left"):
        directions.orthogonal_to(first, [second, first])


def test_correlations_pass_over_what_is_not_known() -> None:
    w = codes(50)
    place = w @ axis()
    measures = np.column_stack([place * -2, np.full(50, 3.0), np.where(np.arange(50) < 10, np.nan, place)])
    found = directions.correlations(w, axis(), measures)
    assert found[[0, 2]] == pytest.approx([-1, 1])
    assert np.isnan(found[1])
    assert directions.spread(w, axis()) == pytest.approx(place.std())
