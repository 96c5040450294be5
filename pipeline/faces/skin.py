"""How much of a detector's box has the colour of skin: cloth and walls mostly have another.

Skin of every tone lies in one small part of the chroma plane, as its colour comes from blood and melanin and its tone
from how much light they leave: Chai and Ngan, Face segmentation using skin-color map in videophone applications
(1999), found 77 <= Cb <= 127 and 133 <= Cr <= 173 in BT.601's full range. A little more is allowed here, for cameras
that balance their white badly. The light's colour moves skin out of it all the same (stage light, blue hour), and a
monochrome photo, tinted or not, says nothing: it is not measured.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging import quality
from curate.pipeline.imaging.geometry import Box

_LEAST, _MOST = np.array([0, 130, 70], np.uint8), np.array([255, 180, 129], np.uint8)  # Y, Cr, Cb
_SIDE = 48  # px: the box is measured at this side
_RIM = 6  # px of it, on each side: the border of the box
_SAMPLE = 64  # px: the photo is thinned out to this side to see whether it has colours
_MONOCHROME = 2.0  # chroma that luma does not explain, below which it has none


def has_colour(image: NDArray[np.uint8]) -> bool:
    """Whether `image`, RGB [height, width, 3], is a colour photo: neither grey nor one tint in all its tones."""
    step = max(max(image.shape) // _SAMPLE, 1)
    return quality.chroma_rest(np.ascontiguousarray(image[::step, ::step])) >= _MONOCHROME


def mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where `image`, RGB [height, width, 3], has the colour of skin, of any tone: [height, width]. So have others."""
    found: NDArray[np.bool_] = cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb), _LEAST, _MOST) > 0
    return found


def shares(image: NDArray[np.uint8], box: Box) -> dict[str, float]:
    """Shares of skin, 0..1, in the middle half and in the border of `box`, by column of crops.parquet."""
    height, width = image.shape[:2]
    left, top = (min(max(int(low), 0), extent - 1) for low, extent in ((box.x, width), (box.y, height)))
    right, bottom = max(int(box.x + box.width), left + 1), max(int(box.y + box.height), top + 1)
    thin = max(min(bottom - top, right - left) // (2 * _SIDE), 1)  # px enough for shares
    part = np.ascontiguousarray(image[top:bottom:thin, left:right:thin])
    small = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    skin = mask(np.asarray(small, np.uint8))
    middle = slice(_SIDE // 4, -_SIDE // 4)
    inner = slice(_RIM, -_RIM)
    rim = (skin.sum() - skin[inner, inner].sum()) / (skin.size - skin[inner, inner].size)
    return {"skin": float(skin[middle, middle].mean()), "skin_rim": float(rim)}
