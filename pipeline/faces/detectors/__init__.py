"""Finding faces. One file per detector; this is the table of them.

A detector is `load(rules) -> Callable[[RGB image], list[Face]]`: uint8 [height, width, 3] in, faces by falling score
out. A new one is one file and one line in DETECTORS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.registry import Registry
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.geometry import Box


class Face(NamedTuple):
    """Where a detector sees a face, and how sure it is, on its own scale."""

    box: Box  # edge coordinates, px of the image it was given
    score: float
    scores: tuple[float | None, ...] = ()  # of each, when several detectors look; None for one that does not see it
    agreement: float | None = None  # the least overlap of their boxes, 0 when one does not see it
    angle: float = 0.0  # degrees by which the head was taken to lean to the right


Detector: TypeAlias = Callable[[NDArray[np.uint8]], list[Face]]

DETECTORS = Registry(
    "detector",
    {
        "haar": "curate.pipeline.faces.detectors.haar:load",
        "anime": "curate.pipeline.faces.detectors.anime:load",
        "hog": "curate.pipeline.faces.detectors.hog:load",
        "cnn": "curate.pipeline.faces.detectors.cnn:load",
        "yunet": "curate.pipeline.faces.detectors.yunet:load",
    },
)

_DRAWN = frozenset({"anime"})  # detectors of drawn faces, which the 68 landmarks of photos do not fit


def names(rules: CropRules) -> list[str]:
    """The detectors that `rules` asks for, e.g. haar and hog for haar+hog. Raises UsageError for an unknown name."""
    found = rules.detector.split("+")
    for name in found:
        DETECTORS[name]
    if len(set(found)) < len(found):
        raise UsageError(f"detector '{rules.detector}' names one twice", "agreement takes different ones: haar+hog")
    return found


def drawn(rules: CropRules) -> bool:
    """Whether `rules` look for drawn faces."""
    return bool(_DRAWN & set(names(rules)))
