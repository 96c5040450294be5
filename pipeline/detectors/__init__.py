"""Finding faces. One file per detector; this is the table of them.

A detector is `load(rules) -> Callable[[RGB image], list[Face]]`: uint8 [height, width, 3] in, faces by falling score
out. A new one is one file and one line in DETECTORS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.params import CropRules
from pipeline.registry import Registry


class Face(NamedTuple):
    """Where a detector sees a face, and how sure it is, on its own scale."""

    box: Box  # edge coordinates, px of the image it was given
    score: float


Detector: TypeAlias = Callable[[NDArray[np.uint8]], list[Face]]

DETECTORS = Registry(
    "detector",
    {
        "haar": "pipeline.detectors.haar:load",
        "anime": "pipeline.detectors.anime:load",
    },
)

DRAWN = frozenset({"anime"})  # detectors of drawn faces, which the 68 landmarks of photos do not fit


def load(rules: CropRules) -> Detector:
    """The detector that `rules` names, ready to run. Raises UsageError for an unknown name."""
    detector: Detector = DETECTORS.resolve(rules.detector)(rules)
    return detector
