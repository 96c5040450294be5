"""Upright, frontal human faces: OpenCV's frontalface cascades (Viola and Jones 2001; Lienhart and Maydt 2002)."""

from __future__ import annotations

from pathlib import Path

import cv2

from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector
from curate.pipeline.faces.detectors.cascade import Cascade

_SMALLEST = 24  # px; the cascade's own window is 20


def load(rules: CropRules) -> Detector:
    """The cascade that `rules` name, of those that OpenCV brings, with their scale step, neighbours and sides."""
    file = f"haarcascade_frontalface_{rules.cascade}.xml"
    return Cascade(Path(cv2.__file__).parent / "data" / file, rules, _SMALLEST)
