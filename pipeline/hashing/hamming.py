"""Every pair of 64-bit hashes within a radius, streamed: a recall of exactly 1, and memory that does not grow with the
pairs.

A hash is cut into bands. Of two hashes within the radius at least one band differs in so few bits (pigeonhole; Norouzi
et al., Fast Search in Hamming Space with Multi-Index Hashing, 2012) that asking an index of each band for every value
so near finds them all. How many bands is a matter of cost: wide bands have few hashes per value, so few comparisons,
but many values to ask for. The cheapest is worked out for the hashes at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.hashing.arrays import Hashes, Pairs

BITS = 64
_WIDEST = 24  # bits of a band: its index has a place for every value
_CHUNK = 1 << 16  # questions or comparisons at once: small enough for the cache
_ASK, _COMPARE, _PLACE = 1.0, 2.0, 3.0  # what a question, a comparison and a place of an index cost, measured


def within(hashes: Hashes, radius: int) -> Iterator[Pairs]:
    """Every pair of `hashes` at most `radius` bits apart: chunks [n, 2] of positions, i < j, each pair once."""
    return _search(hashes, None, radius)


def between(asking: Hashes, hashes: Hashes, radius: int) -> Iterator[Pairs]:
    """Every pair of one of `asking` and one of `hashes` at most `radius` bits apart: chunks [n, 2] of their positions,
    each pair once."""
    return _search(hashes, asking, radius)


def gathered(chunks: Iterable[Pairs]) -> Pairs:
    """The pairs of all `chunks`, in order, [n, 2]."""
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *chunks])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


class _Band(NamedTuple):
    shift: int
    bits: int
    most: int  # differing bits in this band that are asked for

    def values(self, hashes: Hashes) -> NDArray[np.int64]:
        """The band's value in each hash, [n]."""
        return ((hashes >> np.uint64(self.shift)) & np.uint64((1 << self.bits) - 1)).astype(np.int64)


def _search(hashes: Hashes, asking: Hashes | None, radius: int) -> Iterator[Pairs]:
    if not len(hashes) or (asking is not None and not len(asking)):
        return
    own = _mixed(hashes)
    theirs = None if asking is None else _mixed(asking)
    bands = _bands(own, len(own) // 2 if theirs is None else len(theirs), radius)
    for place, band in enumerate(bands):
        for left, right, differing in _met(band, own, theirs, radius):
            new = np.ones(len(left), bool)
            for earlier in bands[:place]:  # such a pair was met there already
                new &= np.bitwise_count(earlier.values(differing)) > earlier.most
            pairs = np.column_stack([left[new], right[new]])
            if theirs is None:
                pairs.sort(axis=1)
            if len(pairs):
                yield pairs


def _mixed(hashes: Hashes) -> Hashes:
    """`hashes` with their bits dealt out anew, all in the same way.

    Neighbouring bits of a perceptual hash go together, and a band of such bits would tell few hashes apart.
    """
    bits = np.unpackbits(np.ascontiguousarray(hashes, "<u8").view(np.uint8).reshape(-1, 8, 1), axis=2)
    return np.packbits(bits.transpose(0, 2, 1).reshape(-1, BITS), axis=1).view("<u8")[:, 0].astype(np.uint64)


def _cut(count: int, radius: int) -> list[_Band]:
    """The hash in `count` bands, which together find every pair within `radius`.

    Two hashes that differ in more than `most` bits of every band differ in the sum of all (most + 1) at least, so that
    sum need only exceed the radius. A band whose `most` is -1 is not needed.
    """
    share, rest = divmod(radius + 1, count)
    bands, shift = [], 0
    for n in range(count):
        bits = BITS // count + (n >= count - BITS % count)  # the narrower ones first: they ask for more
        bands.append(_Band(shift, bits, share - (n >= rest)))
        shift += bits
    return [band for band in bands if band.most >= 0]


def _bands(hashes: Hashes, asking: int, radius: int) -> list[_Band]:
    """The cheapest cut for these hashes, by how many of a sample of them share a value."""
    sample = hashes[:: -(-len(hashes) // 50_000)]

    def cost(bands: list[_Band]) -> float:
        total = 0.0
        for band in bands:
            counts = np.unique(band.values(sample), return_counts=True)[1].astype(np.float64)
            met = len(hashes) * max(float((counts * (counts - 1)).sum()) / len(sample) ** 2, 2.0**-band.bits)
            masks = sum(comb(band.bits, ones) for ones in range(band.most + 1))
            total += masks * asking * (_ASK + _COMPARE * met) + _PLACE * 2**band.bits
        return total

    fewest = -(-BITS // _WIDEST)
    return min((_cut(count, radius) for count in range(fewest, max(radius + 1, fewest) + 1)), key=cost)


def _masks(band: _Band) -> Iterator[int]:
    """Every value of the band with at most `most` ones."""
    for ones in range(band.most + 1):
        yield from (sum(1 << bit for bit in chosen) for chosen in combinations(range(band.bits), ones))


def _met(
    band: _Band, hashes: Hashes, asking: Hashes | None, radius: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], Hashes]]:
    """Pairs within the radius that differ in at most `most` bits of the band: the positions, and the differing bits.

    Without `asking` the hashes ask each other, and each pair is met once.
    """
    order, values, ordered = _by_value(band, hashes)
    starts = np.searchsorted(values, np.arange(2**band.bits + 1)).astype(np.int64)
    who, whose, theirs = (order, values, ordered) if asking is None else _by_value(band, asking)
    low: dict[int, NDArray[np.int64]] = {}  # those of each pair of values that ask: the ones without the mask's top bit
    for mask in _masks(band):
        top = mask.bit_length() - 1 if asking is None else -1
        if top not in low:
            low[top] = np.flatnonzero((whose >> top) & 1 == 0) if top >= 0 else np.arange(len(whose))
        for left, right in _candidates(low[top], whose, starts, mask, asking is None):
            differing = theirs[left] ^ ordered[right]
            near = np.flatnonzero(np.bitwise_count(differing) <= radius)
            if len(near):
                yield who[left[near]], order[right[near]], differing[near]


def _by_value(band: _Band, hashes: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64], Hashes]:
    """The positions in order of the band's value, those values, and the hashes."""
    values = band.values(hashes)
    order = np.argsort(values, kind="stable")
    return order, values[order], hashes[order]


def _candidates(
    asking: NDArray[np.int64], values: NDArray[np.int64], starts: NDArray[np.int64], mask: int, itself: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Who of `asking` meets whom: the places in which a value stands that differs by exactly `mask`, in chunks.

    With `itself` and no mask, each place meets those after it.
    """
    for start in range(0, len(asking), _CHUNK):
        left = asking[start : start + _CHUNK]
        partner = values[left] ^ mask
        first, end = starts[partner], starts[partner + 1]
        if itself and not mask:
            first = left + 1
        many = end - first
        some = np.flatnonzero(many)
        left, first, many = left[some], first[some], many[some]
        ends = np.cumsum(many)
        begin = 0
        while begin < len(left):
            done = ends[begin - 1] if begin else 0
            until = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), begin + 1)
            part, base = many[begin:until], ends[begin:until] - many[begin:until] - done
            right = np.arange(ends[until - 1] - done) + np.repeat(first[begin:until] - base, part)
            yield np.repeat(left[begin:until], part), right
            begin = until
