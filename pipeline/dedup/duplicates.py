"""Which crop stands for which: copies among the crops, and copies of what other data sets keep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from curate.pipeline.dedup import search
from curate.pipeline.dedup.fingerprints import Fingerprints, concatenated
from curate.pipeline.dedup.search import CopyRule, Finder
from curate.pipeline.hashing import clustering
from curate.pipeline.hashing.arrays import Pairs, Positions


class DuplicateGroups:
    """Finds the copies among crops. Equal fingerprints are one group: a thousand blank pictures cost as much as one."""

    def __init__(self, crops: Fingerprints, others: Fingerprints, rank: Positions, rule: CopyRule) -> None:
        """`rank`, [n], is each crop's place among the crops, 0 for the best; `others` are kept by other data sets."""
        count, outside = len(rank), len(others.hashes)
        every = concatenated([crops, others], crops.variants.shape[1])
        first, which = search.distinct(every)
        self._finder = Finder(every.take(first), rule)
        self.group = which[:count]  # of each crop
        best = np.full(len(first), count, np.int64)
        np.minimum.at(best, self.group, rank)
        self._best = np.append(np.argsort(rank), -1)[best]  # the best crop of each group; -1 for none
        self._own = np.flatnonzero(best < count)
        earliest = np.full(len(first), outside, np.int64)
        np.minimum.at(earliest, which[count:], np.arange(outside))
        self._is_other = earliest < outside
        self._other = np.where(self._is_other, earliest, -1)  # the first of `others` in each group
        self._rank = np.where(self._is_other, earliest, outside + best)
        self._pairs: Pairs | None = None

    @property
    def bearers(self) -> Positions:
        """The crop that bears the pairs of its group, for each group with a crop: the best one."""
        return self._best[self._own]

    def compare(self, known: Pairs, done: Positions) -> Pairs | None:
        """Every pair of crops, [n, 2], that are copies, both of them bearers; None for more than memory may hold.

        `known` are pairs of groups, and `done` the groups of which every pair with one another is among these.
        """
        fresh = np.zeros(len(self._rank), bool)
        fresh[self._own] = True
        fresh[done] = False
        held, total = [known], len(known)
        self._pairs = None
        for chunk in self._pairs_with(np.flatnonzero(fresh), done):
            held.append(chunk)
            total += len(chunk)
            if total > clustering.BUDGET:
                return None
        self._pairs = np.concatenate(held)
        return self._best[self._pairs]

    def _pairs_with(self, new: Positions, old: Positions) -> Iterator[Pairs]:
        yield from self._finder.among(new)
        yield from self._finder.across(new, old)

    def stand_ins(self) -> tuple[Positions, Positions]:
        """For each crop the one that stands for it, [n], itself when it is kept, and which of the others does so
        instead, [n], -1 for none. After `compare`.

        What other data sets keep goes before every crop, so that one and the same rule decides both.
        """
        leader = clustering.leaders(self._rank, self._copies, clustering.BUDGET)[self.group]
        other = self._other[leader]
        return np.where(other < 0, self._best[leader], np.arange(len(leader))), other

    def _copies(self, alive: Positions) -> Iterator[Pairs]:
        """Pairs of copies among the groups `alive`: of two with crops alone, and of one of these and one with others.

        Two that other data sets keep are never compared: whether they are copies is those sets' affair.
        """
        is_other = self._is_other[alive]
        own = alive[~is_other]
        here = np.zeros(len(self._rank), bool)
        here[own] = True
        for chunk in [self._pairs] if self._pairs is not None else self._finder.among(own):
            yield chunk[here[chunk].all(axis=1)]
        yield from self._finder.across(own, alive[is_other], turn_old=False)  # the others have no variants
