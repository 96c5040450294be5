"""Human faces at many angles, fast and free to use: MediaPipe's BlazeFace for photos (Bazarevsky et al. 2019).

The net sees 256 px. It looks at the whole picture, and where faces are wanted that are too small for it there, at the
picture twice as large, in parts that overlap, and so on.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from functools import lru_cache
from operator import and_
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import tflite
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face
from curate.pipeline.imaging.geometry import Box, overlap

_SIDE = 256  # px: what the net looks at
_SMALLEST = 20  # px of them: narrower faces are not relied on
_SHARED = 80  # px that neighbouring parts have in common: narrower faces are whole in one of them
_LEAST = 0.5  # confidence below which the net's answers are not looked at
_SUPPRESSED = 0.3  # overlap from which the weaker of two boxes is dropped
_LENIENT = 0.8  # faces somewhat below min_face are looked for too, so that they are refused with their size


def _anchors() -> NDArray[np.float32]:
    """Where each of the 896 answers is at home, x and y in px, [896, 2]: two in each of 16 x 16 cells, six in 8 x 8."""
    found = []
    for cells, each in ((16, 2), (8, 6)):
        at = (np.arange(cells) + 0.5) * (_SIDE / cells)
        y, x = np.meshgrid(at, at, indexing="ij")
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), each, axis=0))
    return np.concatenate(found).astype(np.float32)


_ANCHORS = _anchors()


class _Part(NamedTuple):
    """A part of a picture, as large as the net wants it, and the map from its px: x * scale + left."""

    pixels: NDArray[np.uint8]  # [256, 256, 3]
    left: float
    top: float
    scale: float
    inner: tuple[bool, bool, bool, bool]  # whether the picture goes on beyond: left, top, right, bottom


def load(rules: CropRules) -> Detector:
    """The net; its score is its confidence, 0..1. Raises ModelError without its file."""
    eye = _eye()

    def detect(image: NDArray[np.uint8]) -> list[Face]:
        longer = max(image.shape[:2])
        scale = min(rules.detect_side / longer, 1.0)
        least = max(rules.min_face * _LENIENT, rules.min_share * longer) * scale
        enough = min(longer * scale * _SMALLEST / max(least, 1.0), longer * scale)
        found = [*eye.whole(image), *(face for part in _parts(image, enough) for face in eye.look(part))]
        return _strongest(found)

    return detect


@lru_cache(maxsize=1)
def _eye() -> _Eye:
    return _Eye(tflite.load("blaze"))


class _Eye:
    """The net, and what it saw of the whole picture last: one photo is looked at from near and from afar."""

    def __init__(self, network: tflite.Network) -> None:
        self._network = network
        self._last: tuple[weakref.ref[NDArray[np.uint8]], list[Face]] | None = None

    def whole(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces in `image`, RGB [height, width, 3], that are seen when all of it is shown at once."""
        last = self._last
        if last is None or last[0]() is not image:
            small, scale = _resized(image, _SIDE)
            last = weakref.ref(image), list(self.look(_padded(small, 0, 0, scale, (False,) * 4)))
            self._last = last
        return last[1]

    def look(self, part: _Part) -> Iterator[Face]:
        """The faces that the net sees in `part`, in px of the picture; those that go on beyond it are left out."""
        blob = part.pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(127.5) - 1
        logits, places = sorted(self._network(blob), key=np.size)
        confidence = 1 / (1 + np.exp(-np.clip(logits.ravel(), -50, 50)))
        for at in np.flatnonzero(confidence >= _LEAST):
            x, y, width, height = (float(value) for value in places.reshape(-1, 16)[at, :4])
            x, y = x + float(_ANCHORS[at, 0]) - width / 2, y + float(_ANCHORS[at, 1]) - height / 2
            beyond = x < 0, y < 0, x + width > _SIDE, y + height > _SIDE
            if min(width, height) > 0 and not any(map(and_, beyond, part.inner)):
                box = Box(x, y, width, height).scaled(part.scale)
                yield Face(box._replace(x=box.x + part.left, y=box.y + part.top), float(confidence[at]))


def _parts(picture: NDArray[np.uint8], enough: float) -> Iterator[_Part]:
    """Parts of `picture`, at more and more px of its longer side, until they are `enough`."""
    side = _SIDE
    while side < enough:
        side = int(min(2 * side, np.ceil(enough)))
        level, scale = _resized(picture, side)
        height, width = level.shape[:2]
        for top in _starts(height):
            for left in _starts(width):
                inner = left > 0, top > 0, left + _SIDE < width, top + _SIDE < height
                yield _padded(level[top : top + _SIDE, left : left + _SIDE], left, top, scale, inner)


def _resized(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float]:
    """`picture` with its longer side at `side`, and how many of its px one of these is."""
    height, width = picture.shape[:2]
    scale = max(height, width) / side
    shape = max(round(width / scale), 1), max(round(height / scale), 1)
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, shape, interpolation=how), np.uint8), scale


def _starts(extent: int) -> list[int]:
    """Where the parts of a side begin: as few as leave _SHARED px between neighbours."""
    count = max(int(np.ceil((extent - _SHARED) / (_SIDE - _SHARED))), 1)
    return [round(at) for at in np.linspace(0, max(extent - _SIDE, 0), count)]


def _padded(
    pixels: NDArray[np.uint8], left: int, top: int, scale: float, inner: tuple[bool, bool, bool, bool]
) -> _Part:
    height, width = pixels.shape[:2]
    if (height, width) != (_SIDE, _SIDE):
        whole = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        whole[:height, :width] = pixels
        pixels = whole
    return _Part(pixels, left * scale, top * scale, scale, inner)


def _strongest(found: list[Face]) -> list[Face]:
    """The faces by falling score, without those that overlap a stronger one."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: (-face.score, face.box)):
        if all(overlap(face.box, other.box) < _SUPPRESSED for other in kept):
            kept.append(face)
    return kept
