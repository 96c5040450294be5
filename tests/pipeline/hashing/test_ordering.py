"""Orders by hash, against the same said in the plainest way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.hashing import ordering, phash

HASHES = st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 3, 2**63, 2**64 - 1]), max_size=40)


def as_hashes(values: list[int]) -> phash.Hashes:
    return np.array(values, np.uint64)


def distance(a: int, b: int) -> int:
    return (int(a) ^ int(b)).bit_count()


@given(HASHES)
def test_each_of_the_least_alike_is_as_far_from_those_before_as_any_left(values: list[int]) -> None:
    places, bits = ordering.least_alike(as_hashes(values))
    assert sorted(places.tolist()) == list(range(len(values)))
    for n in range(1, len(values)):
        before, left = places[:n].tolist(), places[n:].tolist()
        far = {i: min(distance(values[i], values[j]) for j in before) for i in left}
        assert bits[n] == far[places[n]] == max(far.values())
        assert places[n] == min(i for i in left if far[i] == bits[n])


@given(HASHES, st.integers(0, 50))
def test_the_first_few_are_the_beginning_of_all(values: list[int], most: int) -> None:
    whole, few = ordering.least_alike(as_hashes(values)), ordering.least_alike(as_hashes(values), most)
    assert whole[0][:most].tolist() == few[0].tolist()
    assert whole[1][:most].tolist() == few[1].tolist()


@given(HASHES.filter(bool), HASHES.filter(bool))
def test_those_taken_count_as_before(values: list[int], taken: list[int]) -> None:
    places, bits = ordering.least_alike(as_hashes(values), taken=as_hashes(taken))
    far = [min(distance(v, t) for t in taken) for v in values]
    assert places[0] == far.index(max(far))
    assert bits[0] == max(far)


@given(HASHES)
def test_each_is_followed_by_the_nearest_of_those_left(values: list[int]) -> None:
    places, bits = ordering.alike(as_hashes(values))
    assert sorted(places.tolist()) == list(range(len(values)))
    for n in range(1, len(values)):
        far = {i: distance(values[i], values[places[n - 1]]) for i in places[n:].tolist()}
        assert bits[n] == far[places[n]] == min(far.values())


@pytest.mark.parametrize("function", [ordering.alike, ordering.least_alike])
def test_many_are_ordered_as_few_are(function: object) -> None:
    """Beyond the number from which placed ones are taken out, copies among them."""
    draws = np.random.default_rng(1)
    values = draws.integers(0, 2**63, 1500).astype(np.uint64)
    values = np.concatenate([values, values[:300]])
    places, bits = function(values)  # type: ignore[operator]
    assert sorted(places.tolist()) == list(range(len(values)))
    if function is ordering.least_alike:
        assert (bits[:-1] >= bits[1:]).all()
        assert bits[1500:].tolist() == [0] * 300
        assert (np.diff(places[1500:]) > 0).all()
    else:
        assert (bits == 0).sum() == 301  # the first, and each copy beside its twin
