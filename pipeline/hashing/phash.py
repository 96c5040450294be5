"""Perceptual hashes: pure functions.

The hash is imagehash.phash's (Zauner 2010), bit for bit, as a 64-bit number whose highest bit is the first of the
hash. The hashes of the mirrored and turned picture follow from the same cosine transform.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.fft import dct

from curate.pipeline.hashing.arrays import Hashes

Spectra = NDArray[np.float64]  # [n, 8, 8], the lowest coefficients: vertical, horizontal frequency

BITS = 64
VERSION = 1  # of hashes that are kept: another one, and they are made again
_SIDE, _LOW = 32, 8  # px of the reduced picture; coefficients along each axis


class Symmetry(NamedTuple):
    """A picture seen another way: first transposed, then turned upside down, then mirrored."""

    transpose: bool
    upside: bool
    mirror: bool


_WAYS = {
    "flip": (Symmetry(False, False, True),),
    "rot90": (Symmetry(True, True, False), Symmetry(False, True, True), Symmetry(True, False, True)),
}


def symmetries(kinds: Iterable[str]) -> tuple[Symmetry, ...]:
    """Every other way in which `kinds` of copies show a picture: "flip" mirrored, "rot90" turned by 90, 180 or 270
    degrees, both together the seven symmetries of a square."""
    chosen = set(kinds)
    found = [turn for kind in ("flip", "rot90") if kind in chosen for turn in _WAYS[kind]]
    if chosen >= _WAYS.keys():
        found += [Symmetry(turn.transpose, turn.upside, not turn.mirror) for turn in _WAYS["rot90"]]
    return tuple(found)


def phash(image: NDArray[np.uint8]) -> int:
    """The perceptual hash of an RGB picture, uint8 [height, width, 3], as a number below 2**64."""
    return int(phashes([image])[0])


def phashes(pictures: Sequence[NDArray[np.uint8]]) -> Hashes:
    """The perceptual hash of each RGB picture, uint8 [height, width, 3].

    Equal to imagehash.phash: Pillow's grey and Lanczos reduction, the unnormalised cosine transform, and the median
    of the 64 lowest coefficients as threshold.
    """
    return signs(spectra(pictures))


def spectra(pictures: Sequence[NDArray[np.uint8]]) -> Spectra:
    """The lowest coefficients of the unnormalised cosine transform of each RGB picture."""
    if not pictures:
        return np.zeros((0, _LOW, _LOW))
    small = np.stack([np.asarray(_reduced(picture)) for picture in pictures]).astype(np.float64)
    low: Spectra = dct(dct(small, axis=1), axis=2)[:, :_LOW, :_LOW]
    return low


def signs(low: Spectra) -> Hashes:
    """The hashes: which coefficients lie above their median."""
    flat = low.reshape(-1, BITS)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8")[:, 0].astype(np.uint64)


def turned(low: Spectra, turn: Symmetry) -> Spectra:
    """The coefficients of the pictures seen another way: mirroring changes the sign of every odd frequency."""
    odd = (-1.0) ** np.arange(_LOW)
    out = low.transpose(0, 2, 1) if turn.transpose else low
    if turn.upside:
        out = out * odd[:, None]
    return out * odd if turn.mirror else out


def contrast(low: Spectra) -> NDArray[np.float32]:
    """What the hash has to go by, [n]: the standard deviation of the luma, in levels of 255, that these coefficients
    without the first make. Of a flat picture the hash is made from noise."""
    scale = np.full(_LOW, (2 * _SIDE) ** -0.5)
    scale[0] = (4 * _SIDE) ** -0.5  # makes the transform orthonormal
    energy = np.square(low * scale[:, None] * scale).reshape(-1, BITS)[:, 1:].sum(axis=1)
    return (np.sqrt(energy) / _SIDE).astype(np.float32)


def _reduced(picture: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(picture).convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def distance(a: ArrayLike, b: ArrayLike) -> NDArray[np.uint8]:
    """Hamming distances between hashes, elementwise."""
    return np.bitwise_count(np.asarray(a, np.uint64) ^ np.asarray(b, np.uint64))
