"""Extra passes over a turned photo, for heads that lean further than a detector tolerates."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.detectors import Detector, Face
from pipeline.geometry import Affine, Box, apply, invert, overlap
from pipeline.rules import CropRules

_SAME = 0.3  # overlap from which a box found on the turned photo is one that was found before


class Turned:
    """Runs `detector` on the photo as it is and then turned by each of `rules.rotations`.

    A face that only a turned photo shows gets an upright box about the same middle, and the angle.
    """

    def __init__(self, detector: Detector, rules: CropRules) -> None:
        self.detector = detector
        self.rotations = rules.rotations
        self.one = rules.faces == "largest"

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """All faces by falling score. When only the largest is wanted, a photo that shows one is not turned."""
        found = self.detector(image)
        for angle in self.rotations:
            if found and self.one:
                break
            turned, affine = _turn(image, angle)
            back = invert(affine)
            faces = [_returned(face, back, angle) for face in self.detector(turned)]
            found += [new for new in faces if all(overlap(new.box, old.box) < _SAME for old in found)]
        return sorted(found, key=lambda face: (-face.score, face.box))


def _turn(image: NDArray[np.uint8], angle: float) -> tuple[NDArray[np.uint8], Affine]:
    """`image` turned counter-clockwise by `angle` degrees with nothing cut off, and the map from its px."""
    height, width = image.shape[:2]
    centre = (width - 1) / 2, (height - 1) / 2
    affine: Affine = np.asarray(cv2.getRotationMatrix2D(centre, angle, 1.0), np.float64)
    corners = apply(affine, [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)])
    affine[:, 2] -= corners.min(axis=0)
    shape = tuple(int(extent) + 1 for extent in np.ceil(np.ptp(corners, axis=0)))
    return np.asarray(cv2.warpAffine(image, affine, shape, borderMode=cv2.BORDER_REPLICATE), np.uint8), affine


def _returned(face: Face, back: Affine, angle: float) -> Face:
    x, y = apply(back, face.box.centre[None])[0] + 0.5
    width, height = face.box.width, face.box.height
    return face._replace(box=Box(float(x - width / 2), float(y - height / 2), width, height), angle=angle)
