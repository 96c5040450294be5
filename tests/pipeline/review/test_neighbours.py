"""Votes of neighbours and the map: what is planted is found, copies have no say, and small domains are heard."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from curate.pipeline.review import neighbours, set_map


def clouds(counts: list[int], seed: int = 0) -> tuple[neighbours.Features, NDArray[np.int64]]:
    """Features of as many domains, each around a middle of its own."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(len(counts), 200)) * 1.5
    kinds = np.repeat(np.arange(len(counts)), counts)
    return (middles[kinds] + rng.normal(size=(len(kinds), 200))).astype(np.float32), kinds


def test_those_in_the_wrong_domain_come_first() -> None:
    features, truth = clouds([60, 40, 50])
    given = truth.copy()
    swapped = np.array([3, 70, 120])
    given[swapped] = [1, 2, 0]
    votes = neighbours.vote(neighbours.directions(features), given, [])
    assert set(votes.order[:3]) == set(swapped)
    assert votes.voted[swapped].tolist() == truth[swapped].tolist()
    assert (votes.score[swapped] > 0.9).all()
    assert (np.delete(votes.score, swapped) < 0.5).all()
    assert (given[votes.nearest[3]] == truth[3]).all()


def test_a_small_domain_is_no_mistake_in_a_large_one() -> None:
    features, kinds = clouds([300, 12])
    votes = neighbours.vote(neighbours.directions(features), kinds, [])
    assert (votes.score[300:] < 0.5).all()
    assert (votes.score[:300] > 0.5).mean() < 0.02


def test_copies_do_not_vouch_for_each_other() -> None:
    """Twenty copies of one picture, all in the wrong domain, are each other's nearest."""
    features, kinds = clouds([60, 60])
    features[:20] = features[0] + 1e-3 * np.random.default_rng(1).normal(size=(20, 200))
    given = kinds.copy()
    given[:20] = 1
    shared = np.where(np.arange(120) < 20, 0, np.arange(120))
    directions = neighbours.directions(features)
    assert (neighbours.vote(directions, given, []).score[:20] < 0.1).all()
    votes = neighbours.vote(directions, given, [shared])
    assert (votes.score[:20] > 0.8).all()
    assert not set(votes.nearest[:20].ravel()) & set(range(20))


def test_who_has_fewer_neighbours_than_are_shown_names_none_twice() -> None:
    features, kinds = clouds([2, 1])
    votes = neighbours.vote(neighbours.directions(features), kinds, [])
    assert votes.nearest[0].tolist()[2] == -1
    with pytest.raises(ValueError, match="one domain"):
        neighbours.vote(features, np.zeros(3, np.int64), [])


@pytest.mark.parametrize("count", [90, 300])
def test_the_map_keeps_together_what_is_alike_and_is_the_same_again(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_map, "PLACED", 120)  # of 300 the others lie among these
    features, kinds = clouds([count // 3, count // 3, count - 2 * (count // 3)])
    directions = neighbours.directions(features)
    places = set_map.place(directions)
    assert places.shape == (count, 2)
    assert places.min() >= 0.0
    assert places.max() <= 1.0
    middles = np.stack([places[kinds == kind].mean(0) for kind in range(3)])
    nearest = np.square(places[:, None] - middles).sum(2).argmin(1)
    assert (nearest == kinds).mean() > 0.98
    assert np.array_equal(places, set_map.place(directions))


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_a_handful_has_a_map(count: int) -> None:
    directions = np.eye(5, dtype=np.float32)[:count]
    assert np.isfinite(set_map.place(directions)).all()
