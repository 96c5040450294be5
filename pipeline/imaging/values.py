"""Pictures between bytes: float32 values in 0..255, not rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.imaging.codec import RGB

Floats = NDArray[np.float32]


def rounded(values: Floats) -> RGB:
    """`values` of any shape, in 0..255 or somewhat beyond, as uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def resized(values: Floats, side: int, most: float = 255.0) -> Floats:
    """`values`, [h, w] or [h, w, 3] in 0..`most`, at `side` x `side` px: bicubic and antialiased, as Pillow does it."""
    if values.shape[:2] == (side, side):
        return values
    planes = values[..., None] if values.ndim == 2 else values
    made = [
        np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize((side, side), Image.Resampling.BICUBIC))
        for plane in np.moveaxis(planes, 2, 0).astype(np.float32)
    ]
    stacked = np.clip(np.stack(made, 2), 0, most).astype(np.float32)  # bicubic overshoots at edges
    return stacked[..., 0] if values.ndim == 2 else stacked
