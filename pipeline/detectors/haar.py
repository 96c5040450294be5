"""Upright, frontal human faces: OpenCV's frontalface_alt2 (Viola and Jones 2001; Lienhart and Maydt 2002)."""

from __future__ import annotations

from pathlib import Path

import cv2

from pipeline.detectors import Detector
from pipeline.detectors.cascade import Cascade
from pipeline.rules import CropRules

_SMALLEST = 24  # px; the cascade's own window is 20


def load(rules: CropRules) -> Detector:
    """The cascade that OpenCV brings, with the scale step, neighbours and sides of `rules`."""
    return Cascade(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml", rules, _SMALLEST)
