"""Perceptual hashes, the neighbours among them, and the clusters that neighbours make: pure functions.

The hash is imagehash.phash's (Zauner 2010), bit for bit, as a 64-bit number whose highest bit is the first of the
hash. Neighbours are found with a recall of exactly 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.fft import dct

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]  # [n, 2], each i < j, sorted

BITS = 64
_SIDE, _LOW = 32, 8  # px of the reduced picture; coefficients along each axis
_BANDS, _BAND_BITS = 4, 16


def phash(image: NDArray[np.uint8]) -> int:
    """The perceptual hash of an RGB picture, uint8 [height, width, 3], as a number below 2**64."""
    return int(phashes([image])[0])


def phashes(pictures: Sequence[NDArray[np.uint8]]) -> Hashes:
    """The perceptual hash of each RGB picture, uint8 [height, width, 3].

    Equal to imagehash.phash: Pillow's grey and Lanczos reduction, the unnormalised cosine transform, and the median
    of the 64 lowest coefficients as threshold.
    """
    if not pictures:
        return np.zeros(0, np.uint64)
    small = np.stack([np.asarray(_reduced(picture)) for picture in pictures]).astype(np.float64)
    low = dct(dct(small, axis=1), axis=2)[:, :_LOW, :_LOW].reshape(-1, BITS)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def _reduced(picture: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(picture).convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def distance(a: ArrayLike, b: ArrayLike) -> NDArray[np.uint8]:
    """Hamming distances between hashes, elementwise."""
    return np.bitwise_count(np.asarray(a, np.uint64) ^ np.asarray(b, np.uint64))


def neighbours(hashes: Hashes, radius: int) -> Pairs:
    """Every pair of hashes at most `radius` bits apart, as positions [n, 2], i < j, in order.

    Memory grows with the number of pairs found and, as working space, with the number of hashes.
    """
    distinct, which = np.unique(np.asarray(hashes, np.uint64), return_inverse=True)
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(distinct))
    starts = np.cumsum(counts) - counts
    groups = np.concatenate([_near(distinct, radius), np.column_stack([np.arange(len(distinct))] * 2)])
    # Each pair of equal-hash groups stands for all pairs of their members.
    sizes = counts[groups[:, 0]] * counts[groups[:, 1]]
    left, right = groups[np.repeat(np.arange(len(groups)), sizes)].T
    within = np.arange(len(left)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    wide = counts[right]
    pairs = np.column_stack([order[starts[left] + within // wide], order[starts[right] + within % wide]])
    return _ordered(pairs[pairs[:, 0] != pairs[:, 1]], len(hashes))


def leaders(hashes: Hashes, rank: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    """For each hash the position of the one that stands for it, [n]; a leader stands for itself.

    They are taken by rising `rank` (0 is best; ranks differ). One that no leader has claimed becomes a leader and
    claims every hash within `radius` bits that nobody has claimed. So each member lies within the radius of its
    leader, and a chain of near copies can't swallow a data set as it would if clusters were connected components.
    """
    by_rank = np.argsort(rank, kind="stable")
    # Equal hashes share their fate, so the best of each stands for all: a thousand blank pictures cost as one.
    distinct, first, which = np.unique(np.asarray(hashes, np.uint64)[by_rank], return_index=True, return_inverse=True)
    starts, near = _adjacent(len(distinct), _near(distinct, radius))
    leader = np.full(len(distinct), -1, np.int64)
    for item in np.argsort(first):
        if leader[item] < 0:
            leader[item] = item
            others = near[starts[item] : starts[item + 1]]
            leader[others[leader[others] < 0]] = item
    stands = np.empty(len(hashes), np.int64)
    stands[by_rank] = by_rank[first[leader[which]]]
    return stands


def _adjacent(count: int, pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neighbour lists: where each item's list starts, [count + 1], and the lists, end to end."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    return np.searchsorted(both[:, 0], np.arange(count + 1)), both[:, 1]


def _ordered(pairs: Pairs, count: int) -> Pairs:
    """`pairs` of positions below `count` with i < j, each once, in order."""
    keys = np.sort(pairs.min(axis=1) * count + pairs.max(axis=1))
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return np.column_stack(np.divmod(keys, max(count, 1)))


def _near(distinct: Hashes, radius: int) -> Pairs:
    """Pairs of `distinct` hashes at most `radius` apart, as positions, i < j, in order.

    Each of the four 16-bit bands of a hash is an index. Of two hashes within the radius at least one band differs in
    at most radius // 4 bits (pigeonhole; Norouzi et al., Fast Search in Hamming Space with Multi-Index Hashing,
    2012), so only hashes whose band differs by such a mask are compared.
    """
    found: list[Pairs] = [np.zeros((0, 2), np.int64)]
    for band in range(_BANDS):
        values = (distinct >> np.uint64(band * _BAND_BITS)).astype(np.uint16)
        order = np.argsort(values, kind="stable")
        starts = np.searchsorted(values[order], np.arange(2**_BAND_BITS + 1))
        for mask in _masks(radius // _BANDS):
            found.extend(_probe(distinct, values, order, starts, mask, radius))
    return _ordered(np.concatenate(found), len(distinct))


def _masks(most: int) -> list[int]:
    """Every 16-bit number with at most `most` bits."""
    masks = [0]
    for bits in range(1, most + 1):
        masks += [sum(1 << bit for bit in chosen) for chosen in combinations(range(_BAND_BITS), bits)]
    return masks


_CHUNK = 1 << 20  # comparisons at once: small enough for the cache


def _probe(
    distinct: Hashes,
    values: NDArray[np.uint16],
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
    mask: int,
    radius: int,
) -> Iterator[Pairs]:
    """Pairs within the radius among the hashes whose band values differ by exactly `mask`."""
    partners = values ^ np.uint16(mask)
    asking = order[(values < partners)[order]] if mask else order  # in band order, each pair is met once
    low = starts[partners[asking]]
    sizes = starts[partners[asking].astype(np.int64) + 1] - low
    ends = np.cumsum(sizes)
    first = 0
    while first < len(asking):
        done = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), first + 1)
        many = sizes[first:last]
        left = np.repeat(asking[first:last], many)
        right = order[np.arange(len(left)) + np.repeat(low[first:last] - (np.cumsum(many) - many), many)]
        near = np.bitwise_count(distinct[left] ^ distinct[right]) <= radius
        if not mask:
            near &= left < right
        yield np.column_stack([left[near], right[near]])
        first = last


def components(count: int, pairs: Pairs) -> NDArray[np.int64]:
    """For each of `count` items the first item of its connected component, [count] positions (union-find)."""
    parent = np.arange(count)

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = int(parent[item])
        return item

    for a, b in pairs.tolist():
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    return np.array([root(item) for item in range(count)], np.int64)
