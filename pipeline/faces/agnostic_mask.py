"""What try-on networks of diffusion paint anew on a person: the body from the chin to the hips, arms and all.

A coarse one, of the outline of the person and the place of the face: no net says where clothes end.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import person_mask
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detectors import ensemble
from curate.pipeline.imaging.geometry import Box

RGB = NDArray[np.uint8]  # [height, width, 3]
AgnosticMask = Callable[[RGB], NDArray[np.uint8]]

_HIPS = 4.0  # heights of the face below the chin
_HEAD = 0.18  # of the person's height, where no face is found
_PERSON = 0.5  # of the person mask
_GROWN = 0.02  # of the picture's height: another cloth may be wider


def load() -> AgnosticMask:
    """A picture of one person in, uint8 [H, W] of its size out: 255 is painted anew, 0 stays.

    Raises ModelError for the file of the person mask that can't be had.
    """
    person, faces = person_mask.load(), ensemble.load(CropRules())

    def mask(image: RGB) -> NDArray[np.uint8]:
        found = faces(image)
        return of_outline(person(image) >= _PERSON, found[0].box if found else None)

    return mask


def of_outline(outline: NDArray[np.bool_], face: Box | None) -> NDArray[np.uint8]:
    """The mask of a person whose px are `outline`, [H, W]; 0 everywhere without a person."""
    rows = np.flatnonzero(outline.any(axis=1))
    if not len(rows):
        return np.zeros(outline.shape, np.uint8)
    top, height = int(rows[0]), len(rows) * _HEAD
    chin = top + height
    if face is not None:
        chin, height = face.y + face.height, face.height
    body = outline.astype(np.uint8) * 255
    body[: max(0, round(chin))] = 0
    body[max(0, round(chin + _HIPS * height)) :] = 0
    reach = max(1, round(_GROWN * len(body)))
    grown = cv2.dilate(body, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    grown[: max(0, round(chin))] = 0  # never over the face
    return np.asarray(grown, np.uint8)
