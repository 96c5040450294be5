"""What OpenCV's cascade classifiers have in common: grey, bounded in size, equalised, boxes in raw px."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Face
from curate.pipeline.faces.detectors.scaling import grey
from curate.pipeline.imaging.geometry import Box


class Cascade:
    """A cascade file with the settings it is run with: called with an RGB image, it returns faces by falling score.

    The score is the weight of the last stage, the largest of the hits that were merged.
    """

    def __init__(self, path: Path, rules: CropRules, smallest: int) -> None:
        """`smallest` is the narrowest face, in px of the scaled image, that the cascade is trusted with."""
        self.classifier = cv2.CascadeClassifier(str(path))
        if self.classifier.empty():
            raise ModelError(f"{path}: not a cascade file", f"delete {path} and run the same command again")
        self.rules = rules
        self.smallest = smallest

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """Looks at the equalised luma of `image`, its longer side bounded by `detect_side`."""
        luma, scale = grey(image, self.rules.detect_side)
        least = round(self.rules.min_face * scale * _LENIENT)
        window = max(self.smallest, least, round(self.rules.min_share * max(luma.shape)))
        if min(luma.shape) < window:
            return []
        boxes, _, weights = self.classifier.detectMultiScale3(
            cv2.equalizeHist(luma),
            scaleFactor=self.rules.scale_factor,
            minNeighbors=self.rules.min_neighbors,
            minSize=(window, window),
            outputRejectLevels=True,
        )
        found = [
            Face(Box(*(float(v) for v in box)).scaled(1 / scale), float(weight))
            for box, weight in zip(boxes, np.ravel(weights), strict=True)
        ]
        return sorted(found, key=lambda face: (-face.score, face.box))


_LENIENT = 0.8  # faces somewhat below min_face are looked for too, so that they are refused with their size
