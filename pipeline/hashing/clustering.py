"""Which of several copies stands for the others: from streams of pairs, in bounded memory. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curate.pipeline.hashing.arrays import Pairs, Positions

Copies = Callable[[Positions], Iterable[Pairs]]  # every pair of copies among some positions, in chunks, in any order

BUDGET = 1 << 26  # pairs held at once: 1 GiB


def leaders(rank: Positions, copies: Copies, budget: int = BUDGET) -> Positions:
    """For each item the position of the one that stands for it, [n]; a leader stands for itself.

    They are taken by rising `rank` (0 is best; ranks differ). One that no leader has claimed becomes a leader and
    claims every copy of its own that nobody has claimed. So each item is a copy of the very one that stands for it,
    and a chain of near copies can't swallow a data set as it would if clusters were connected components.

    Where there are more than `budget` pairs, only those of the best items are kept, as many as fit; what these claim
    asks no more, and the pairs of the rest are asked for again.
    """
    by_rank = np.argsort(rank, kind="stable")
    place = np.empty(len(rank), np.int64)
    place[by_rank] = np.arange(len(rank))
    leader = np.full(len(rank), -1, np.int64)  # by place
    alive = np.arange(len(rank))  # places, rising
    while len(alive):
        pairs, end = _best(copies(np.sort(by_rank[alive])), place, len(rank), budget)
        _claim(pairs, leader)
        decided = alive[alive < end]
        alone = decided[leader[decided] < 0]
        leader[alone] = alone
        alive = alive[leader[alive] < 0]
    stands = np.empty(len(rank), np.int64)
    stands[by_rank] = by_rank[leader]
    return stands


def _best(found: Iterable[Pairs], place: Positions, end: int, budget: int) -> tuple[Pairs, int]:
    """All pairs of places, better one first, whose better one lies before `end`; and that end, lowered to fit."""
    held: list[Pairs] = []
    count = 0
    for chunk in found:
        pairs = np.sort(place[chunk], axis=1)
        pairs = pairs[pairs[:, 0] < end]
        held.append(pairs)
        count += len(pairs)
        if count > budget:
            whole = np.concatenate(held)
            # Half of them go, but those of one item stay together.
            end = max(int(np.partition(whole[:, 0], count // 2)[count // 2]), int(whole[:, 0].min()) + 1)
            held = [whole[whole[:, 0] < end]]
            count = len(held[0])
    return np.concatenate([np.zeros((0, 2), np.int64), *held]), end


def _claim(pairs: Pairs, leader: Positions) -> None:
    """Lets each unclaimed item claim its own unclaimed copies, the best item first; fills in `leader`."""
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    asking, starts = np.unique(pairs[:, 0], return_index=True)
    ends = np.append(starts, len(pairs))[1:]
    for item, start, end in zip(asking.tolist(), starts.tolist(), ends.tolist(), strict=True):
        if leader[item] < 0:
            leader[item] = item
            others = pairs[start:end, 1]
            leader[others[leader[others] < 0]] = item


def components(count: int, pairs: Iterable[Pairs]) -> Positions:
    """For each of `count` items the first item of its connected component, [count]; holds all pairs."""
    left, right = np.concatenate([np.zeros((0, 2), np.int64), *pairs]).T
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (count, count))
    _, label = connected_components(graph, directed=False)
    return np.unique(label, return_index=True)[1][label]


def stand_ins(count: int, pairs: Iterable[Pairs]) -> Positions:
    """`leaders` of items that are in order of preference already, from pairs at hand."""
    held = list(pairs)
    return leaders(np.arange(count), lambda alive: _among(held, alive, count))


def _among(held: list[Pairs], alive: Positions, count: int) -> Iterator[Pairs]:
    here = np.zeros(count, bool)
    here[alive] = True
    for chunk in held:
        yield chunk[here[chunk].all(axis=1)]
