"""What is known about every picture of the drawn world, in the px of that picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.demo.hair import Length
from curate.pipeline.demo.portrait import FeaturePoints, Point

Kind = Literal["portrait", "anime", "article", "human", "landscape", "couple", "icon", "favicon", "animated"]
Change = Literal["recompress", "resize", "crop", "brightness", "flip"]
Fault = Literal["truncated", "missing", "html"]

CHANGES: tuple[Change, ...] = ("recompress", "resize", "crop", "brightness", "flip")
_RESIZE = 0.8
_CROP = 0.02  # of each side
_BRIGHTER = 25  # of 255


@dataclass(frozen=True)
class Copy:
    """A planted near-duplicate: the key of the picture that it copies, and how it was changed."""

    of: str
    change: Change

    @property
    def found(self) -> bool:
        """Whether 64-bit perceptual hashes of the two are expected within 8 bits: mirrored copies are not."""
        return self.change != "flip"


@dataclass(frozen=True)
class GarmentTruth:
    """Which product a garment picture shows."""

    pair: str
    pattern: str
    sleeve: str
    neck: str
    colour: str


@dataclass(frozen=True)
class Truth:
    """One picture's ground truth. Lengths in px of the picture; None where there is no such thing."""

    kind: Kind
    face: tuple[float, float, float, float] | None = None  # x, y, width, height: hairline to chin, ear to ear
    eyes: tuple[Point, Point] | None = None  # centres, the left one in the picture first
    mouth: Point | None = None
    chin: Point | None = None
    roll: float | None = None  # degrees by which the eye line falls to the right
    hair: Length | None = None
    smile: float | None = None  # 0 grave .. 1 a full smile; drawings know only these two
    identity: int | None = None  # the same person, the same number
    skin: float | None = None  # mean brightness, 0..255
    garment: GarmentTruth | None = None
    copy: Copy | None = None
    fault: Fault | None = None  # what is broken about what the server sends

    def placed(self, places: FeaturePoints) -> Truth:
        """This truth with the face of `places`."""
        return replace(self, face=places.face, eyes=places.eyes, mouth=places.mouth, chin=places.chin)


def change(picture: NDArray[np.uint8], how: Change) -> NDArray[np.uint8]:
    """The uint8 RGB [H, W, 3] `picture`, changed as a planted copy is; recompression happens when it is encoded."""
    height, width = picture.shape[:2]
    if how == "resize":
        size = round(width * _RESIZE), round(height * _RESIZE)
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    if how == "crop":
        x, y = round(width * _CROP), round(height * _CROP)
        return picture[y : height - y, x : width - x]
    if how == "brightness":
        return np.asarray(np.minimum(picture.astype(np.int16) + _BRIGHTER, 255), np.uint8)
    if how == "flip":
        return picture[:, ::-1]
    return picture


def changed(truth: Truth, copy: Copy, width: int, height: int) -> Truth:
    """The truth of a copy of a picture of that size."""
    if truth.face is None or truth.eyes is None or truth.mouth is None or truth.chin is None:
        return replace(truth, copy=copy)
    scale, dx, dy, flip = 1.0, 0.0, 0.0, copy.change == "flip"
    if copy.change == "resize":
        scale = _RESIZE
    if copy.change == "crop":
        dx, dy = -float(round(width * _CROP)), -float(round(height * _CROP))

    def move(point: Point) -> Point:
        x, y = (point[0] + dx) * scale, (point[1] + dy) * scale
        return (width - 1 - x if flip else x), y

    x, y, w, h = truth.face
    corner = move((x + w if flip else x, y))
    eyes = (move(truth.eyes[flip]), move(truth.eyes[not flip]))
    return replace(
        truth,
        face=(*corner, w * scale, h * scale),
        eyes=eyes,
        mouth=move(truth.mouth),
        chin=move(truth.chin),
        roll=-truth.roll if flip and truth.roll is not None else truth.roll,
        skin=truth.skin + _BRIGHTER if copy.change == "brightness" and truth.skin is not None else truth.skin,
        copy=copy,
    )
