"""A face where a person has placed it: three clicks, or a box, made into what a detector and landmarks would give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import detectors, plausibility
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace, rounded
from curate.pipeline.faces.detectors import Face, Parts
from curate.pipeline.faces.ffhq import eyes, mouth
from curate.pipeline.faces.landmarkers import Landmarker
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box, Points, overlap

DETECTOR = "person"  # in crops.parquet, in place of a detector's name
# A detector's box: its side in distances of the eyes and in those from eyes to mouth, whichever is larger, and how far
# its middle lies below the eyes, in the latter: haar's and anime's, which a box takes the place of.
_PHOTO, _DRAWING = (2.7, 2.1, 0.3), (3.0, 2.1, 0.4)
_CHIN, _NOSE = 1.45, 0.55  # of a drawn face, below the eye line, in the distance of its mouth
_EYE = 0.5, 0.4  # width and height of a drawn eye, in distances of the eyes
_MOUTH = 0.4, 0.2
_UNSEEN = float("nan")  # the score of what no detector has seen
_SAME = 0.3  # overlap from which two boxes are one face


def face(numbers: Sequence[float], rules: CropRules) -> Face:
    """The face at `numbers`: x, y of left eye, right eye and mouth (index coordinates), or a box (edge coordinates).

    Raw px, in float32 as the table keeps them; with the parts of a drawn face where the detector of `rules` sees any.
    """
    if len(numbers) == 4:
        return rounded(Face(Box(*numbers), _UNSEEN, (None,)))
    left, right, below = np.reshape(np.array(numbers, np.float64), (3, 2))
    middle, across = (left + right) / 2, float(np.hypot(*(right - left)))
    down = below - middle
    wide, high, lower = _DRAWING if detectors.drawn(rules) else _PHOTO
    side = max(wide * across, high * float(np.hypot(*down)))
    found = Face(_about(middle + lower * down, side, side), _UNSEEN, (None,))
    if detectors.sees_parts(rules):
        drawn = Parts(
            _about(left, across * _EYE[0], across * _EYE[1]),
            _about(right, across * _EYE[0], across * _EYE[1]),
            _about(below, across * _MOUTH[0], across * _MOUTH[1]),
            _point(middle + _NOSE * down),
            _point(middle + _CHIN * down),
        )
        found = found._replace(parts=drawn)
    return rounded(found)


def landmarks(numbers: Sequence[float]) -> Points:
    """68 landmarks, [68, 2]: the mean face, stretched until its eyes and its mouth lie at the three points given."""
    corners = np.stack([*eyes(plausibility.MEAN), mouth(plausibility.MEAN)])
    system = np.column_stack([corners, np.ones(3)])
    affine = np.linalg.solve(system, np.reshape(np.array(numbers, np.float64), (3, 2))).T
    return geometry.apply(affine, plausibility.MEAN).astype(np.float32).astype(np.float64)


def detected(
    numbers: Sequence[float], image: NDArray[np.uint8], find: Landmarker | None, rules: CropRules
) -> DetectedFace:
    """The face at `numbers` of `image`, as detection would leave it; without `find` no landmarks are needed.

    Three points give landmarks themselves, in a box `find` places them.
    """
    one = face(numbers, rules)
    points = None
    if find is not None:
        points = landmarks(numbers) if len(numbers) == 6 else find(image, one.box, one.angle).points
        points = points.astype(np.float32).astype(np.float64)
    return DetectedFace(one, points, placed=tuple(numbers))


def joined(found: Sequence[DetectedFace], placed: Sequence[DetectedFace]) -> list[DetectedFace]:
    """The faces of a photo: those `placed`, the last first, then those `found` that lie elsewhere."""
    faces: list[DetectedFace] = []
    for one in (*reversed(placed), *found):
        if all(overlap(one.face.box, other.face.box) < _SAME for other in faces if other.placed):
            faces.append(one)
    return faces


def _about(centre: Points, width: float, height: float) -> Box:
    return Box(float(centre[0]) + 0.5 - width / 2, float(centre[1]) + 0.5 - height / 2, width, height)


def _point(place: Points) -> tuple[float, float]:
    return float(place[0]), float(place[1])
