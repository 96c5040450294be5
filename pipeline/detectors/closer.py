"""Looking from afar first: the largest face of most photos is plain there, for a quarter of the work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors import Detector, Face


class Closer:
    """Runs `afar` and, only on a photo in which that sees nobody, `near`."""

    def __init__(self, afar: Detector, near: Detector) -> None:
        self.afar = afar
        self.near = near

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """The faces of the first look that sees any, by falling score."""
        return self.afar(image) or self.near(image)
