"""Leaders are those of the plain rule, whatever memory there is; chains don't swallow anything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from curate.pipeline.hashing import clustering
from curate.pipeline.hashing.arrays import Pairs, Positions


def pairs_of(count: int, seed: int, many: int) -> Pairs:
    pairs = np.random.default_rng(seed).integers(0, count, (many, 2))
    return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)


def streamed(pairs: Pairs, asked: list[int]) -> clustering.Copies:
    """A search that hands out `pairs` among those alive by sevens, and notes how many it was asked about."""

    def copies(alive: Positions) -> Iterator[Pairs]:
        asked.append(len(alive))
        here = pairs[np.isin(pairs, alive).all(axis=1)]
        for start in range(0, len(here), 7):
            yield here[start : start + 7]

    return copies


def slow_leaders(rank: Positions, pairs: Pairs) -> list[int]:
    near = {(int(i), int(j)) for i, j in pairs} | {(int(j), int(i)) for i, j in pairs}
    leader = [-1] * len(rank)
    for item in np.argsort(rank).tolist():
        if leader[item] < 0:
            for other in range(len(rank)):
                if leader[other] < 0 and (other == item or (item, other) in near):
                    leader[other] = item
    return leader


@pytest.mark.parametrize("budget", [1, 20, 150, clustering.BUDGET])
@pytest.mark.parametrize("seed", range(3))
def test_leaders_are_those_of_the_plain_rule_in_any_memory(seed: int, budget: int) -> None:
    pairs = pairs_of(120, seed, 300)
    rank = np.random.default_rng(seed).permutation(120)
    asked: list[int] = []
    stands = clustering.leaders(rank, streamed(pairs, asked), budget)
    assert stands.tolist() == slow_leaders(rank, pairs)
    assert asked == sorted(asked, reverse=True)
    assert (len(asked) == 1) == (budget > len(pairs))


def test_a_chain_is_not_swallowed() -> None:
    chain = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    assert clustering.leaders(np.array([2, 0, 1, 3, 4]), lambda alive: [chain]).tolist() == [1, 1, 1, 3, 3]
    assert clustering.components(5, [chain]).tolist() == [0] * 5
    assert clustering.stand_ins(4, [chain[:3]]).tolist() == [0, 0, 2, 2]


def test_nothing_and_nobody() -> None:
    assert clustering.leaders(np.zeros(0, np.int64), lambda alive: []).tolist() == []
    assert clustering.leaders(np.arange(3), lambda alive: []).tolist() == [0, 1, 2]
    assert clustering.components(2, []).tolist() == [0, 1]
