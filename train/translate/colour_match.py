"""Colours of a translated part matched to the photo around it, in CIE Lab: networks without a mask repaint all of it,
and shift its colours as they do.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MOST = np.array([12.0, 8.0, 8.0], np.float32)  # L, a, b: what is further off was meant
KEPT = 0.5  # share of the surroundings that changed least: in the rest something else was painted


def matched(paint: Floats, seen: Floats, around: Floats) -> Floats:
    """`paint` [h, w, 3], 0..255, shifted so that its surroundings have the colours that `seen` has there.

    `around` [h, w] weighs the surroundings; where it is 0 everywhere, nothing is shifted.
    """
    if not around.any():
        return paint
    made, there = _lab(paint), _lab(seen)
    off = (there - made)[around > 0]
    far = np.abs(off).sum(-1)
    counted = far <= np.quantile(far, KEPT)
    weights = around[around > 0][counted]
    shift = np.clip(np.average(off[counted], axis=0, weights=weights), -MOST, MOST)
    return _rgb(made + shift.astype(np.float32))


def _lab(picture: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(np.clip(picture / 255, 0, 1).astype(np.float32), cv2.COLOR_RGB2Lab), np.float32)


def _rgb(lab: Floats) -> Floats:
    return np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), np.float32), 0, 1) * np.float32(255)
