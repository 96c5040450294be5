"""Human faces at many angles and sizes, fast: YuNet (Wu, Peng and Yu 2023) through OpenCV's FaceDetectorYN."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face
from curate.pipeline.faces.detectors.scaling import bounded
from curate.pipeline.imaging.geometry import Box

_LEAST = 0.5  # confidence below which the network's answers are not looked at
_SUPPRESSED = 0.3  # overlap from which the weaker of two boxes is dropped, as OpenCV's sample has it


def load(rules: CropRules) -> Detector:
    """The network; its file is fetched the first time. The score is its confidence, 0..1. Raises ModelError."""
    path = model_files.path("yunet")
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _LEAST, _SUPPRESSED)
    except cv2.error as error:
        raise ModelError(
            f"{path}: not a network: {error.msg}", f"delete {path} and run the same command again"
        ) from error
    return lambda image: _detect(network, image, rules.detect_side)


def _detect(network: Any, image: NDArray[np.uint8], side: int) -> list[Face]:
    small, scale = bounded(image, side)
    network.setInputSize(small.shape[1::-1])
    _, rows = network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))  # it was trained on OpenCV's colour order
    # A row is x, y, width, height, five points and the confidence.
    found = [] if rows is None else [Face(Box(*map(float, row[:4])).scaled(1 / scale), float(row[-1])) for row in rows]
    return sorted((face for face in found if min(face.box[2:]) > 0), key=lambda face: (-face.score, face.box))
