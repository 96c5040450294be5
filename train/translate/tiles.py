"""Whole photos through networks: padded to the sizes that they take, and in overlapping tiles where they are large.

Tiles are normalised by what the networks measure of the whole photo, made as small as one tile.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.values import rounded
from curate.train.networks.whole_image import WholeImage

STEP = 4  # px: networks that halve their maps twice take multiples of it
LEAST = 32  # px: what is smaller is padded, so that no map inside is smaller than its padding
TILE = 1536  # px, side of a tile; a photo of as many px is taken at once: some 2 GB for a generator of width 64
OVERLAP = 256  # px that neighbours share, over which one becomes the other

Render = Callable[[RGB], NDArray[np.float32]]  # [H, W, 3] in 0..255, sides multiples of STEP -> the same shape


def through(photo: RGB, render: Render) -> RGB:
    """What `render` makes of `photo`, uint8 [H, W, 3] of any size, at that size."""
    height, width = photo.shape[:2]
    if height * width <= TILE * TILE:
        return rounded(_padded(photo, render))
    whole, made = WholeImage(), np.empty_like(photo)
    with whole.measure():
        _padded(_shrunk(photo), render)
    rows, columns = spans(height), spans(width)
    down, across = [ramps(rows, i) for i in range(len(rows))], [ramps(columns, i) for i in range(len(columns))]
    pending = np.zeros((0, width, 3), np.float32)  # what the row of tiles above has left to be added to
    done = 0
    for (top, bottom), weight in zip(rows, down, strict=True):
        strip = np.zeros((bottom - top, width, 3), np.float32)
        for (left, right), share in zip(columns, across, strict=True):
            with whole.use():
                tile = _padded(np.ascontiguousarray(photo[top:bottom, left:right]), render)
            strip[:, left:right] += tile * share[:, None]
        strip *= weight[:, None, None]
        strip[: len(pending)] += pending
        later = next((start for start, _ in rows if start > top), height)
        made[done:later] = rounded(strip[: later - top])
        pending, done = strip[later - top :], later
    return made


def spans(length: int) -> list[tuple[int, int]]:
    """From where to where tiles of up to TILE px lie on `length` px: equally large, neighbours sharing OVERLAP."""
    count = max(1, -(-(length - OVERLAP) // (TILE - OVERLAP))) if length > TILE else 1
    side = -(-(length + (count - 1) * OVERLAP) // count)
    starts = [round(i * (length - side) / max(1, count - 1)) for i in range(count)]
    return [(start, start + side) for start in starts]


def ramps(places: list[tuple[int, int]], index: int) -> NDArray[np.float32]:
    """The share of each px of tile `index`: 1, smoothly to 0 where a neighbour takes over; all tiles' add up to 1."""
    start, end = places[index]
    share = np.ones(end - start)
    if index:
        shared = places[index - 1][1] - start
        share[:shared] *= _rise(shared)
    if index + 1 < len(places):
        shared = end - places[index + 1][0]
        share[-shared:] *= 1 - _rise(shared)
    return share.astype(np.float32)


def _shrunk(photo: RGB) -> RGB:
    """`photo` with as many px as a tile has at most."""
    height, width = photo.shape[:2]
    scale = TILE / (height * width) ** 0.5
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


def _rise(count: int) -> NDArray[np.float64]:
    """From 0 to 1 over `count` px, flat at both ends: near its border a tile has seen its own mirror image."""
    x = (np.arange(count) + 0.5) / count
    return x * x * (3 - 2 * x)


def _padded(photo: RGB, render: Render) -> NDArray[np.float32]:
    """`photo` through `render`, mirrored beyond its lower and right edge to a size that fits, and cut back."""
    height, width = photo.shape[:2]
    more = [max(-(-side // STEP) * STEP, LEAST) - side for side in (height, width)]
    if any(more):
        photo = np.pad(photo, ((0, more[0]), (0, more[1]), (0, 0)), mode="reflect")
    return render(photo)[:height, :width]
