"""What a picture shows on a plain ground: everything that has not the colour of its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging.codec import RGB

GROUND = 24  # 0..255 in the worst channel: farther from the ground's colour, something lies on it
_FAINT = 8  # the same, where less than _FAINT_BELOW of the picture lies farther
_FAINT_BELOW = 0.03


def figure(rgb: RGB) -> NDArray[np.bool_]:
    """Where `rgb`, uint8 [H, W, 3], shows something other than the colour of its border: [H, W].

    Where hardly anything stands out, what does so faintly counts: a white garment on a white ground.
    """
    ring = rim(rgb).astype(np.int16)
    apart = np.abs(rgb.astype(np.int16) - np.median(ring, axis=0)).max(axis=2)
    found: NDArray[np.bool_] = apart > GROUND
    if found.mean() < _FAINT_BELOW:
        noise = np.percentile(np.abs(ring - np.median(ring, axis=0)).max(axis=1), 95)
        found = apart > max(_FAINT, 2 * float(noise))
    return found


def rim(rgb: RGB) -> NDArray[np.uint8]:
    """The px along the four sides, [n, 3]: a fiftieth of the shorter side deep."""
    deep = max(1, min(rgb.shape[:2]) // 50)
    sides = (rgb[:deep], rgb[-deep:], rgb[:, :deep], rgb[:, -deep:])
    return np.concatenate([side.reshape(-1, 3) for side in sides])
