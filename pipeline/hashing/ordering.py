"""Orders of pictures by their perceptual hashes: like beside like, and the least alike first. Pure functions.

Both compare each hash with each one placed before it, n**2 / 2 comparisons of a few machine instructions, in memory
that grows with n alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.hashing.arrays import Hashes, Positions
from curate.pipeline.hashing.phash import BITS

Bits = NDArray[np.int64]  # Hamming distances

_EVERY = 512  # placed ones, until the arrays are freed of them
_GONE = np.uint8(255)


def least_alike(hashes: Hashes, most: int | None = None, taken: Hashes | None = None) -> tuple[Positions, Bits]:
    """Positions of `most` hashes (None: of all), each as far as can be from all before it, and how far that is.

    Farthest-point order (Gonzalez, Clustering to minimize the maximum intercluster distance, 1985). Those `taken`
    count as before; where there are none, the first is the hash farthest from the majority of each bit, and as far as
    can be from nothing: 64. Of equally far ones the first comes first, so a preference among the hashes tells.
    """
    rest, left = np.asarray(hashes, np.uint64), np.arange(len(hashes))
    most = len(rest) if most is None else min(most, len(rest))
    order, bits = np.zeros(most, np.int64), np.zeros(most, np.int64)
    alone = taken is None or not len(taken)
    far = np.full(len(rest), BITS, np.uint8)
    for other in [_majority(rest)] if taken is None or alone else taken:
        np.minimum(far, np.bitwise_count(rest ^ other), out=far)
    for place in range(most):
        if place and place % _EVERY == 0:
            open_ = far > 0
            rest, left, far = rest[open_], left[open_], far[open_]
        pick = int(np.argmax(far)) if len(far) else 0
        if place == 0 and alone:
            far[:] = BITS
        elif not len(far) or far[pick] == 0:  # only copies of what is placed are left
            copies = np.setdiff1d(np.arange(len(hashes)), order[:place])
            order[place:] = copies[: most - place]
            break
        order[place], bits[place] = left[pick], far[pick]
        np.minimum(far, np.bitwise_count(rest ^ rest[pick]), out=far)
    return order, bits


def alike(hashes: Hashes) -> tuple[Positions, Bits]:
    """Positions of all hashes, each followed by the nearest of those left, and how far each is from the one before.

    The first is the hash farthest from the majority of each bit; its distance is 0.
    """
    rest, left = np.asarray(hashes, np.uint64), np.arange(len(hashes))
    order, bits = np.zeros(len(rest), np.int64), np.zeros(len(rest), np.int64)
    gone = np.zeros(len(rest), np.uint8)
    current = _majority(rest)
    for place in range(len(order)):
        if place % _EVERY == 0:
            open_ = gone == 0
            rest, left, gone = rest[open_], left[open_], gone[open_]
        far = np.bitwise_count(rest ^ current)
        pick = int(np.argmin(far | gone) if place else np.argmax(far))
        order[place], bits[place] = left[pick], far[pick] if place else 0
        current, gone[pick] = rest[pick], _GONE
    return order, bits


def _majority(hashes: Hashes) -> np.uint64:
    """The hash whose every bit is that of most of `hashes`."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    common = 2 * bits.sum(axis=0, dtype=np.int64) > len(hashes)
    return np.packbits(common).view(">u8")[0].astype(np.uint64)
