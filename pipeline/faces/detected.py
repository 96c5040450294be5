"""One face as detection leaves it: box, landmarks, what is measured of them, and whether that looks like a face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import criteria, plausibility, skin
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import Face, Parts
from curate.pipeline.faces.ffhq import eyes
from curate.pipeline.faces.landmarkers import Landmarker
from curate.pipeline.imaging.geometry import Box, Points


class DetectedFace(NamedTuple):
    """A face as detection left it, in the float32 numbers that the table keeps, so that it comes back equal."""

    face: Face
    landmarks: Points | None = None  # [68, 2], raw px, index coordinates; None for drawn faces
    instability: float | None = None  # how far the landmarks move when the box does, in eye distances
    second_score: float | None = None  # what another detector says of the box, where the landmarks leave doubt
    placed: tuple[float, ...] = ()  # the px by which a person has placed it; none where a detector saw it


def with_landmarks(image: NDArray[np.uint8], face: Face, find: Landmarker | None) -> DetectedFace:
    """The `face` of `image` with its landmarks, by `find`; without, of a drawn face, the face alone."""
    face = rounded(face)
    if find is None:
        return DetectedFace(face)
    found = find(image, face.box, face.angle)
    points = found.points.astype(np.float32).astype(np.float64)
    return DetectedFace(face, points, single(found.instability), single(found.second_score))


def measures(detected: DetectedFace, image: NDArray[np.uint8], *, coloured: bool) -> dict[str, float]:
    """What detection, landmarks and, in a photo that is `coloured`, the colours say of a face of `image`.

    By column of crops.parquet; what does not apply is left out. What a person has placed is a face.
    """
    face = detected.face
    if detected.placed:
        apart = (
            {} if detected.landmarks is None else {"eye_px": float(np.hypot(*np.subtract(*eyes(detected.landmarks))))}
        )
        return {"face_px": face.box.side} | apart
    found = {"face_px": face.box.side, "score": face.score}
    if face.agreement is not None:
        found["agreement"] = face.agreement
    if detected.second_score is not None:
        found["second_score"] = detected.second_score
    if detected.instability is not None:
        found["unrest"] = detected.instability
    if detected.landmarks is not None:
        found |= plausibility.scores(detected.landmarks, face.box)
        if coloured:
            found |= skin.shares(image, face.box)
    return found


def is_plausible(measured: Mapping[str, float]) -> bool:
    """Whether what was `measured` looks like a face, by the default thresholds, of any size.

    The search for faces goes by this and by no threshold of the user's, which may change without another search.
    """
    return all(check.low <= measured[check.column] <= check.high for check in _ORDINARY if check.column in measured)


_ORDINARY = tuple(criteria.face_criteria(CropRules(min_face=1)))


def rounded(face: Face) -> Face:
    """`face` with its numbers in float32, as the table keeps them."""
    return Face(
        Box(*(float(np.float32(value)) for value in face.box)),
        float(np.float32(face.score)),
        tuple(single(score) for score in face.scores or (face.score,)),
        single(face.agreement),
        float(np.float32(face.angle)),
        None if face.parts is None else Parts.of([float(np.float32(value)) for value in face.parts.numbers()]),
    )


def single(value: float | None) -> float | None:
    """`value` in float32."""
    return None if value is None else float(np.float32(value))
