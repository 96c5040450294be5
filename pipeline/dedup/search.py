"""Copies among pictures, by their fingerprints: near in their hashes, and alike in their thumbnails. Streamed, so that
memory does not grow with what is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curate.pipeline.dedup.fingerprints import Fingerprints, ThumbnailMatch
from curate.pipeline.hashing import hamming
from curate.pipeline.hashing.arrays import Pairs, Positions
from curate.pipeline.hashing.phash import Symmetry, distance

_SURE, _STEP = 4, 0.004  # the likeness asked for grows by this with each bit beyond so many


@dataclass(frozen=True)
class CopyRule:
    """When two pictures are copies."""

    radius: int  # bits of 64 in which the hashes may differ
    likeness: float  # cosine between the steps in luma, at least; 0: the hashes alone decide
    contrast: float  # of flatter pictures only equal ones are copies: their hashes are made from noise
    turns: tuple[Symmetry, ...] = ()  # the other ways in which a copy may show the picture


def distinct(pictures: Fingerprints) -> tuple[Positions, Positions]:
    """The first picture of each group of equal ones, [g], and the group of each picture, [n]."""
    odd = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio
    digest = pictures.hashes.copy()
    for word in np.ascontiguousarray(pictures.thumbs).view(np.uint64).T:  # mixed well, 64 bits tell any number apart
        digest = (digest ^ word) * odd
        digest ^= digest >> np.uint64(29)
    _, first, which = np.unique(digest, return_index=True, return_inverse=True)
    return first, which


class Finder:
    """The copies among pictures, no two of them with equal fingerprints."""

    def __init__(self, pictures: Fingerprints, rule: CopyRule) -> None:
        self._pictures, self._rule = pictures, rule
        self._sharp = pictures.contrast >= rule.contrast
        self._matches: dict[Symmetry | None, ThumbnailMatch] = {}

    def among(self, some: Positions) -> Iterator[Pairs]:
        """Every pair of copies among `some` pictures, i < j; one that is a copy in several ways may come as often."""
        some = some[self._sharp[some]]
        hashes = self._pictures.hashes[some]
        for chunk in hamming.within(hashes, self._rule.radius):
            yield self._copies(some[chunk])
        for n, turn in enumerate(self._rule.turns):
            for chunk in hamming.between(self._pictures.variants[some, n], hashes, self._rule.radius):
                yield self._copies(some[chunk], n, turn)

    def across(self, new: Positions, old: Positions, *, turn_old: bool = True) -> Iterator[Pairs]:
        """Every pair of copies of one of `new` and one of `old`, like `among`; without `turn_old` only the new ones are
        looked at in other ways."""
        new, old = new[self._sharp[new]], old[self._sharp[old]]
        hashes, variants, radius = self._pictures.hashes, self._pictures.variants, self._rule.radius
        for chunk in hamming.between(hashes[new], hashes[old], radius):
            yield self._copies(np.column_stack([new[chunk[:, 0]], old[chunk[:, 1]]]))
        for n, turn in enumerate(self._rule.turns):
            for chunk in hamming.between(variants[new, n], hashes[old], radius):
                yield self._copies(np.column_stack([new[chunk[:, 0]], old[chunk[:, 1]]]), n, turn)
            for chunk in hamming.between(hashes[new], variants[old, n], radius) if turn_old else ():
                yield self._copies(np.column_stack([old[chunk[:, 1]], new[chunk[:, 0]]]), n, turn)

    def _copies(self, pairs: Pairs, n: int = -1, turn: Symmetry | None = None) -> Pairs:
        """Those of `pairs` that are copies, i < j; with `turn`, the `n`th, the first of each is seen that way."""
        pairs = np.sort(pairs, axis=1) if turn is None else pairs[pairs[:, 0] != pairs[:, 1]]
        if self._rule.likeness > 0:
            first = self._pictures.hashes if turn is None else self._pictures.variants[:, n]
            apart = distance(first[pairs[:, 0]], self._pictures.hashes[pairs[:, 1]]).astype(np.float32)
            least = self._rule.likeness + _STEP * np.clip(apart - _SURE, 0, None)
            pairs = pairs[self._match(turn).copies(pairs, least)]
        return np.sort(pairs, axis=1)

    def _match(self, turn: Symmetry | None) -> ThumbnailMatch:
        if turn not in self._matches:  # one is held at a time: they are large
            self._matches = {turn: ThumbnailMatch(self._pictures.thumbs, self._pictures.thumbs, turn)}
        return self._matches[turn]
