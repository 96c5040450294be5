"""What pictures are compared by, and the second comparison of two whose hashes are near: copies, or strangers?

A hash keeps one bit of each of 64 frequencies. Aligned faces share most of these, so among many some strangers lie as
near as copies do. What is compared besides is a small thumbnail: the steps in luma between its neighbouring cells, as
the cosine of the angle between all steps of the one and all of the other, and its colours. Brightness and contrast
don't change that cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.hashing import phash
from curate.pipeline.hashing.arrays import Hashes, Pairs, Positions
from curate.pipeline.hashing.phash import Symmetry
from curate.pipeline.imaging.codec import RGB

LUMA, CHROMA = 12, 4  # cells along each side
VERSION = 1  # of thumbnails that are kept: another one, and they are made again
THUMB = LUMA**2 + 2 * CHROMA**2  # bytes: luma, then red and blue chroma, row by row

Thumbs = NDArray[np.uint8]  # [n, THUMB]

_GREY = 3.0  # mean chroma, in levels of 255, up to which a picture has no colour: what JPEG leaves of a grey one
_TINGE, _TINT = 2.0, 0.01  # the likeness asked for grows by this with each level of chroma beyond so many
_CHUNK = 1 << 13  # pairs looked at at once: small enough for the cache


class Fingerprints(NamedTuple):
    """What pictures are told apart by."""

    hashes: Hashes  # [n]
    variants: Hashes  # [n, k]: of the picture seen in k other ways
    contrast: NDArray[np.float32]  # [n], see phash.contrast
    thumbs: Thumbs

    def take(self, rows: Positions) -> Fingerprints:
        """Those of some rows."""
        return Fingerprints(self.hashes[rows], self.variants[rows], self.contrast[rows], self.thumbs[rows])


def compute(pictures: Sequence[RGB], turns: Sequence[Symmetry]) -> Fingerprints:
    """The fingerprint of each picture, uint8 [H, W, 3], with the hashes of each of `turns` of it."""
    low = phash.spectra(pictures)
    variants = [phash.signs(phash.turned(low, turn)) for turn in turns]
    return Fingerprints(
        phash.signs(low),
        np.stack(variants, axis=1) if variants else np.zeros((len(low), 0), np.uint64),
        phash.contrast(low),
        np.stack([_thumb(picture) for picture in pictures]) if pictures else np.zeros((0, THUMB), np.uint8),
    )


def concatenated(batches: Sequence[Fingerprints], turns: int) -> Fingerprints:
    """The rows of all `batches`, with hashes of `turns` other ways: 0 for a batch that has none."""
    count = sum(len(batch.hashes) for batch in batches)
    variants = np.zeros((count, turns), np.uint64)
    start = 0
    for batch in batches:
        end = start + len(batch.hashes)
        if batch.variants.shape[1] == turns:
            variants[start:end] = batch.variants
        start = end
    return Fingerprints(
        np.concatenate([np.zeros(0, np.uint64), *(batch.hashes for batch in batches)]),
        variants,
        np.concatenate([np.zeros(0, np.float32), *(batch.contrast for batch in batches)]),
        np.concatenate([np.zeros((0, THUMB), np.uint8), *(batch.thumbs for batch in batches)]),
    )


def _thumb(rgb: RGB) -> NDArray[np.uint8]:
    small = rgb
    if min(rgb.shape[:2]) > 4 * LUMA:  # colours are converted once it is small
        small = np.asarray(cv2.resize(rgb, (4 * LUMA, 4 * LUMA), interpolation=cv2.INTER_AREA), np.uint8)
    luma, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    sized = [(luma, LUMA), (red, CHROMA), (blue, CHROMA)]
    cells = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA).ravel() for plane, side in sized]
    return np.concatenate(cells).astype(np.uint8)


class ThumbnailMatch:
    """Compares rows of two sets of thumbnails; the first may be seen another way."""

    def __init__(self, asking: Thumbs, thumbs: Thumbs, turn: Symmetry | None = None) -> None:
        if turn is not None:
            asking = asking[:, _turned(turn)]
        self._luma, self._chroma = asking[:, : LUMA**2], asking[:, LUMA**2 :]
        self._bent, self._other_chroma = _bent(thumbs), thumbs[:, LUMA**2 :]
        self._length = _length(asking)
        self._other_length = self._length if asking is thumbs else _length(thumbs)

    def copies(self, pairs: Pairs, likeness: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of `pairs` [n, 2], positions in the two sets, are at least so alike; `likeness` [n] are cosines.

        The further apart their colours are, the more is asked of the rest: a colour of its own makes another picture,
        but a copy without its colours is still one.
        """
        found = np.empty(len(pairs), bool)
        for start in range(0, len(pairs), _CHUNK):
            a, b = pairs[start : start + _CHUNK].T
            together = np.einsum("ij,ij->i", self._luma[a].astype(np.float32), self._bent[b].astype(np.float32))
            lengths = self._length[a] * self._other_length[b]
            least = likeness[start : start + _CHUNK]
            near = (together >= least * lengths) & (lengths > 0)
            some = np.flatnonzero(near)
            apart = _chroma_apart(self._chroma[a[some]], self._other_chroma[b[some]])
            near[some] = together[some] >= (least[some] + _TINT * np.clip(apart - _TINGE, 0, None)) * lengths[some]
            found[start : start + _CHUNK] = near
        return found


def _bent(thumbs: Thumbs) -> NDArray[np.int16]:
    """For each cell the sum of its steps from its neighbours, [n, LUMA ** 2].

    The steps of one picture times those of another, summed, are the cells of the one times this of the other (the
    discrete Green's identity), so that the steps need not be held.
    """
    luma = thumbs[:, : LUMA**2].reshape(-1, LUMA, LUMA).astype(np.int16)
    out = np.zeros_like(luma)
    down, across = np.diff(luma, axis=1), np.diff(luma, axis=2)
    out[:, 1:] += down
    out[:, :-1] -= down
    out[:, :, 1:] += across
    out[:, :, :-1] -= across
    return out.reshape(-1, LUMA**2)


def _length(thumbs: Thumbs) -> NDArray[np.float32]:
    """The length of all steps of each thumbnail, [n]."""
    found = np.empty(len(thumbs), np.float32)
    for start in range(0, len(thumbs), _CHUNK):
        rows = thumbs[start : start + _CHUNK]
        own = np.einsum("ij,ij->i", rows[:, : LUMA**2].astype(np.float32), _bent(rows).astype(np.float32))
        found[start : start + _CHUNK] = np.sqrt(own)
    return found


def _chroma_apart(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean difference in chroma of rows of cells [n, 2 * CHROMA ** 2]; 0 where one of the two is grey."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    grey = (np.abs(a - 128).mean(axis=1) <= _GREY) | (np.abs(b - 128).mean(axis=1) <= _GREY)
    return np.where(grey, np.float32(0), np.abs(a - b).mean(axis=1))


def _turned(turn: Symmetry) -> Positions:
    """For each cell of a thumbnail of the turned picture its place in the thumbnail of the picture, [THUMB]."""
    places, start = [], 0
    for side in (LUMA, CHROMA, CHROMA):
        grid = np.arange(start, start + side * side).reshape(side, side)
        grid = grid.T if turn.transpose else grid
        grid = grid[::-1] if turn.upside else grid
        grid = grid[:, ::-1] if turn.mirror else grid
        places.append(grid.ravel())
        start += side * side
    return np.concatenate(places)
