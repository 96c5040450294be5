"""No pair within the radius is missed, none comes twice, whatever the hashes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.pipeline.hashing import hamming, phash


def gathered(chunks: Iterable[NDArray[np.int64]]) -> list[tuple[int, int]]:
    """The pairs of all chunks, in order; a pair that came twice stands twice."""
    return sorted((i, j) for chunk in chunks for i, j in chunk.tolist())


def brute(hashes: NDArray[np.uint64], radius: int) -> list[tuple[int, int]]:
    near = np.triu(phash.distance(hashes[:, None], hashes[None, :]) <= radius, 1)
    return [(i, j) for i, j in np.argwhere(near).tolist()]


def crowd(count: int, seed: int, loose: int = 64) -> NDArray[np.uint64]:
    """Hashes of which only `loose` bits are not all alike, half of them copies of others with a few bits turned."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, count, np.uint64) & np.uint64(2**loose - 1)
    for i in range(count // 2, count):
        bits = rng.choice(64, rng.integers(0, 13), replace=False).astype(np.uint64)
        hashes[i] = hashes[rng.integers(0, count // 2)] ^ np.bitwise_or.reduce(np.uint64(1) << bits, initial=0)
    return hashes


@pytest.mark.parametrize("loose", [64, 20])
@pytest.mark.parametrize("radius", [0, 1, 3, 4, 8, 10, 13, 32])
def test_no_pair_is_missed_and_none_comes_twice(radius: int, loose: int) -> None:
    hashes = crowd(500, radius, loose)
    assert len(brute(hashes, radius)) > 5
    assert gathered(hamming.within(hashes, radius)) == brute(hashes, radius)


@pytest.mark.parametrize("radius", [0, 2, 8, 12])
def test_two_sets_meet(radius: int) -> None:
    hashes = crowd(400, radius)
    some, others = hashes[::3], hashes[1::2]
    near = np.argwhere(phash.distance(some[:, None], others[None, :]) <= radius)
    assert gathered(hamming.between(some, others, radius)) == [(i, j) for i, j in near.tolist()]
    assert gathered(hamming.between(some[:0], others, radius)) == gathered(hamming.between(some, others[:0], radius))


@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 3, 2**63]), max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=40)
def test_pairs_of_any_few(values: list[int], radius: int) -> None:
    hashes = np.array(values, np.uint64)
    assert gathered(hamming.within(hashes, radius)) == brute(hashes, radius)


def test_many_in_one_place_come_in_chunks() -> None:
    hashes = np.zeros(1000, np.uint64)
    chunks = list(hamming.within(hashes, 8))
    assert max(map(len, chunks)) < 200_000
    assert sum(map(len, chunks)) == 1000 * 999 // 2


@pytest.mark.parametrize(("count", "radius"), [(100_000, 8), (100_000, 4)])
def test_the_cut_of_a_large_set_misses_nothing(count: int, radius: int) -> None:
    """Larger sets are cut into fewer bands; each planted pair must still be met."""
    rng = np.random.default_rng(3)
    hashes = rng.integers(0, 2**64, count, np.uint64)
    for i in range(0, 600, 2):
        bits = rng.choice(64, radius, replace=False).astype(np.uint64)
        hashes[i + 1] = hashes[i] ^ np.bitwise_or.reduce(np.uint64(1) << bits)
    found = gathered(hamming.within(hashes, radius))
    assert {(i, i + 1) for i in range(0, 600, 2)} <= set(found)
    assert len(found) == len(set(found))
