"""Finding faces. One file per detector; this is the table of them.

A detector is `load(rules) -> Callable[[RGB image], list[Face]]`: uint8 [height, width, 3] in, faces by falling score
out. A new one is one file and one line in DETECTORS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.registry import Registry
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.geometry import Box


class Parts(NamedTuple):
    """Where the parts of a drawn face are; left and right as seen in the picture."""

    left_eye: Box  # edge coordinates, px of the image that the detector was given
    right_eye: Box
    mouth: Box
    nose: tuple[float, float]  # index coordinates
    chin: tuple[float, float]  # its lowest point

    @staticmethod
    def mean(several: Sequence[Parts]) -> Parts:
        """The middle of what several looks at one face say; there is one at least."""
        return Parts.of(np.mean([one.numbers() for one in several], axis=0).tolist())

    @staticmethod
    def of(numbers: Sequence[float]) -> Parts:
        """Back from `numbers`."""
        left, right, mouth = (Box(*numbers[start : start + 4]) for start in (0, 4, 8))
        return Parts(left, right, mouth, (numbers[12], numbers[13]), (numbers[14], numbers[15]))

    def numbers(self) -> list[float]:
        """All of it, in order: 16."""
        return [float(value) for part in self for value in part]

    def scaled(self, factor: float) -> Parts:
        """The same in an image enlarged by `factor`."""
        points = (tuple((value + 0.5) * factor - 0.5 for value in point) for point in (self.nose, self.chin))
        boxes = (box.scaled(factor) for box in (self.left_eye, self.right_eye, self.mouth))
        return Parts.of([value for part in (*boxes, *points) for value in part])

    def moved(self, place: Callable[[float, float], tuple[float, float]]) -> Parts:
        """The same where `place` puts middles and points, from and to index coordinates; boxes keep their sizes."""
        boxes = []
        for box in (self.left_eye, self.right_eye, self.mouth):
            x, y = place(*box.centre.tolist())
            boxes.append(Box(x + 0.5 - box.width / 2, y + 0.5 - box.height / 2, box.width, box.height))
        return Parts.of([value for part in (*boxes, place(*self.nose), place(*self.chin)) for value in part])


class Face(NamedTuple):
    """Where a detector sees a face, and how sure it is, on its own scale."""

    box: Box  # edge coordinates, px of the image it was given
    score: float
    scores: tuple[float | None, ...] = ()  # of each, when several detectors look; None for one that does not see it
    agreement: float | None = None  # the least overlap of their boxes, 0 when one does not see it
    angle: float = 0.0  # degrees by which the head was taken to lean to the right
    parts: Parts | None = None  # of a drawn face, by a detector that sees them

    def scaled(self, factor: float) -> Face:
        """The same in an image enlarged by `factor`."""
        return self._replace(box=self.box.scaled(factor), parts=self.parts and self.parts.scaled(factor))

    def moved(self, place: Callable[[float, float], tuple[float, float]]) -> Face:
        """The same where `place` puts middles and points, from and to index coordinates; boxes keep their sizes."""
        x, y = place(*self.box.centre.tolist())
        box = Box(x + 0.5 - self.box.width / 2, y + 0.5 - self.box.height / 2, self.box.width, self.box.height)
        return self._replace(box=box, parts=self.parts and self.parts.moved(place))

    def mirrored(self, width: int) -> Face:
        """The same in an image of `width` px seen in a mirror."""
        there = self.moved(lambda x, y: (width - 1 - x, y))
        if there.parts is None:
            return there
        left, right = there.parts.right_eye, there.parts.left_eye
        return there._replace(parts=there.parts._replace(left_eye=left, right_eye=right))


Detector: TypeAlias = Callable[[NDArray[np.uint8]], list[Face]]

DETECTORS = Registry(
    "detector",
    {
        "haar": "curate.pipeline.faces.detectors.haar:load",
        "anime": "curate.pipeline.faces.detectors.anime:load",
        "animeface": "curate.pipeline.faces.detectors.animeface:load",
        "hog": "curate.pipeline.faces.detectors.hog:load",
        "cnn": "curate.pipeline.faces.detectors.cnn:load",
        "blaze": "curate.pipeline.faces.detectors.blaze:load",
        "yunet": "curate.pipeline.faces.detectors.yunet:load",
    },
)

_DRAWN = frozenset({"anime", "animeface"})  # detectors of drawn faces, which the 68 landmarks of photos do not fit
_SEES_PARTS = frozenset({"animeface"})  # those of them that see eyes and chin


def names(rules: CropRules) -> list[str]:
    """The detectors that `rules` asks for, e.g. haar and hog for haar+hog. Raises UsageError for an unknown name."""
    found = rules.detector.split("+")
    for name in found:
        DETECTORS[name]
    if len(set(found)) < len(found):
        raise UsageError(f"detector '{rules.detector}' names one twice", "agreement takes different ones: haar+hog")
    return found


def drawn(rules: CropRules) -> bool:
    """Whether `rules` look for drawn faces."""
    return bool(_DRAWN & set(names(rules)))


def sees_parts(rules: CropRules) -> bool:
    """Whether one of the detectors that `rules` ask for sees the eyes and the chin of drawn faces."""
    return bool(_SEES_PARTS & set(names(rules)))
