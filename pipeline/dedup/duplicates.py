"""Crops in groups of equal marks, beside what other data sets keep: which stands for which."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curate.pipeline.dedup import search
from curate.pipeline.dedup.cache import FingerprintCache
from curate.pipeline.dedup.fingerprints import Fingerprints, concatenated
from curate.pipeline.dedup.search import CopyRule, Finder, Pairs, Positions
from curate.pipeline.hashing import clustering


class DuplicateGroups:
    """Finds the copies among crops. Equal marks share their fate: a thousand blank pictures cost as much as one."""

    def __init__(self, marks: Fingerprints, others: Fingerprints, rank: Positions, rule: CopyRule) -> None:
        """`marks` and `rank`, 0 for the best, are those of the crops, `others` the marks in other data sets."""
        count = len(rank)
        every = concatenated([marks, others], marks.variants.shape[1])
        first, which = search.distinct(every)
        self._marks, self._rank = marks, rank
        self._finder = Finder(every.take(first), rule)
        self._group, theirs = which[:count], which[count:]
        best = np.full(len(first), count, np.int64)
        np.minimum.at(best, self._group, rank)
        self._own = np.flatnonzero(best < count)
        self._row = np.append(np.argsort(rank), -1)[best]  # of the best crop of each group; -1 for none
        self._none = len(theirs)
        self._foreign = np.full(len(first), self._none, np.int64)  # the first of `others` that is a copy
        np.minimum.at(self._foreign, theirs, np.arange(self._none))
        self._pairs: Pairs | None = None

    def compare(self, known: FingerprintCache, ids: pa.ChunkedArray) -> None:
        """Finds every pair of copies, but for those that are known of the crops `ids`, and keeps them there."""
        self._compare_with_others()
        pairs, done = known.pairs(ids, self._group)
        self._pairs = self._search(pairs, done)
        rows = None if self._pairs is None else self._row[self._pairs]
        known.write(ids, self._marks, rows, self._row[self._own])

    def _compare_with_others(self) -> None:
        held = self._foreign < self._none
        equal = self._foreign.copy()
        for chunk in self._finder.across(self._own[~held[self._own]], np.flatnonzero(held), turn_old=False):
            theirs = held[chunk]  # one of each pair is
            np.minimum.at(self._foreign, chunk[~theirs], equal[chunk[theirs]])

    def _search(self, known: Pairs, done: Positions) -> Pairs | None:
        """The `known` pairs and every pair of which not both are among `done`; None for more than memory may hold."""
        fresh = np.zeros(len(self._row), bool)
        fresh[self._own] = True
        fresh[done] = False
        held, total = [known], len(known)
        for chunk in self._pairs_with(np.flatnonzero(fresh), done):
            held.append(chunk)
            total += len(chunk)
            if total > clustering.BUDGET:
                return None
        return np.concatenate(held)

    def _pairs_with(self, new: Positions, old: Positions) -> Iterator[Pairs]:
        yield from self._finder.among(new)
        yield from self._finder.across(new, old)

    def fates(self) -> tuple[Positions, Positions]:
        """For each crop the row of the one that stands for it, itself when it is kept, and which of the others does so
        instead, -1 for none."""
        free = self._own[self._foreign[self._own] == self._none]
        place = np.full(len(self._row), -1, np.int64)
        place[free] = np.arange(len(free))

        def copies(alive: Positions) -> Iterator[Pairs]:
            here = np.zeros(len(self._row), bool)
            here[free[alive]] = True
            for chunk in [self._pairs] if self._pairs is not None else self._finder.among(free[alive]):
                yield place[chunk[here[chunk].all(axis=1)]]

        leader = np.arange(len(self._row))
        leader[free] = free[clustering.leaders(self._rank[self._row[free]], copies)]
        foreign = self._foreign[self._group]
        return self._row[leader[self._group]], np.where(foreign == self._none, -1, foreign)
