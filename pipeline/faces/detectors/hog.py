"""Upright, frontal human faces: dlib's histograms of oriented gradients (Dalal and Triggs 2005; King 2015)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face
from curate.pipeline.faces.detectors.scaling import grey
from curate.pipeline.imaging.geometry import Box

_UPSAMPLE = 1  # the window is 80 px wide, and detect_side leaves many faces smaller


def load(rules: CropRules) -> Detector:
    """The detector that dlib brings; its score is the distance from the separating plane."""
    upsample = _UPSAMPLE if rules.upsample is None else rules.upsample

    def detect(image: NDArray[np.uint8]) -> list[Face]:
        small, scale = grey(image, rules.detect_side)
        found = [face._replace(box=face.box.scaled(1 / scale)) for face in find(small, upsample)]
        return sorted(found, key=lambda face: (-face.score, face.box))

    return detect


def find(luma: NDArray[np.uint8], upsample: int = 0, least: float = 0.0) -> list[Face]:
    """The faces of a grey picture [height, width] that score `least` or more, after `upsample` doublings."""
    rectangles, scores, _ = _detector().run(luma, upsample, least)
    return [Face(box(r), float(s)) for r, s in zip(rectangles, scores, strict=True)]


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Unpacking it takes as long as looking at ten photos, and it keeps nothing between two of them."""
    return dlib.get_frontal_face_detector()


def box(rectangle: Any) -> Box:
    """dlib's rectangle, which names its first and its last px, in edge coordinates."""
    return Box(float(rectangle.left()), float(rectangle.top()), float(rectangle.width()), float(rectangle.height()))
