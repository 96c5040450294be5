"""Placing the 68 landmarks of a photographed face. One file per way; this is the table of them.

A landmarker is `load() -> Callable[[RGB image, box, angle], Landmarks]`: uint8 [height, width, 3], a detector's box in
it, and by how many degrees the head was taken to lean to the right. Whichever it is, the points are dlib's 68, in the
order of Sagonas et al. (iBUG 300-W, 2013), so that all that is made of them works alike. A new one is one file and one
line in each table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.registry import Registry
from curate.pipeline.imaging.geometry import Box, Points


class Landmarks(NamedTuple):
    """The landmarks of one face and how sure they are."""

    points: Points  # [68, 2], index coordinates
    instability: float | None  # RMS by which they move with the box, in eye distances; None where not asked
    second_score: float | None = None  # what else says that this is a face, above 0, or none; None where not asked


Landmarker: TypeAlias = Callable[[NDArray[np.uint8], Box, float], Landmarks]

LANDMARKERS = Registry(
    "landmarks",
    {
        "dlib68": "curate.pipeline.faces.landmarkers.dlib68:load",
        "mesh": "curate.pipeline.faces.landmarkers.mesh:load",
    },
)

FILES: Mapping[str, str] = {"dlib68": "landmarks-68", "mesh": "mesh"}  # the model that each one needs
