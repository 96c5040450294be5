"""How good the pixels of a crop are: sharpness, exposure, colour, outlines. Measured at one size: crops compare."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 128  # px: everything is measured at this side
_BLACK, _WHITE = 4, 251  # luma at and beyond which a px is clipped
_GREY = 3.0  # colourfulness below which a picture is grey; what JPEG leaves of a grey one stays below 2
_STEPS = 32  # levels of luma that chroma is explained by
_HARD = 60  # Laplacian of luma from which an edge is an outline


def measure(crop: NDArray[np.uint8], face: NDArray[np.float64] | None = None) -> dict[str, float]:
    """What the pixels of a crop [size, size, 3] are like, by column of crops.parquet.

    `face`, [n, 2] in crop px, are points around the face; None when the whole crop counts as the face.
    """
    brightness = float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())
    side = (_SIDE, _SIDE)
    small = crop
    if crop.shape[:2] != side:
        small = np.asarray(cv2.resize(crop, side, interpolation=cv2.INTER_AREA), np.uint8)
    luma = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    colours = colourfulness(small)
    edges = cv2.Laplacian(luma, cv2.CV_32F)
    inside = None if face is None else _inside((face + 0.5) * _SIDE / len(crop) - 0.5)
    return {
        "sharpness": float(edges.var(dtype=np.float64)),
        "face_sharpness": float(cv2.meanStdDev(edges, mask=inside)[1].item() ** 2),
        "brightness": brightness,
        "clipped": float(np.mean((luma <= _BLACK) | (luma >= _WHITE))),
        "colourfulness": colours,
        "hue": hue(small),
        "chroma_rest": chroma_rest(small),
        "outlines": outlines(luma),
        "is_grey": colours < _GREY,
    }


def colourfulness(image: NDArray[np.uint8]) -> float:
    """Hasler and Suesstrunk, Measuring colourfulness in natural images (2003), M3: 0 for greys, 100 for posters."""
    red, green, blue = (image[..., c].astype(np.float32) for c in range(3))
    first, second = red - green, (red + green) / 2 - blue
    spread = np.hypot(first.std(dtype=np.float64), second.std(dtype=np.float64))
    mean = np.hypot(first.mean(dtype=np.float64), second.mean(dtype=np.float64))
    return float(spread + 0.3 * mean)


def hue(image: NDArray[np.uint8]) -> float:
    """Circular mean of the hues, each weighted by its px's chroma, in degrees [0, 360): 0 red, 120 green, 240 blue.

    With alpha = R - (G + B) / 2 and beta = sqrt(3) / 2 (G - B), the chroma of a px is |alpha + i beta| and its hue the
    angle of that number. So the weighted mean is the angle of the mean colour. 0 for greys, which have none.
    """
    red, green, blue, _ = cv2.mean(image)
    return float(np.degrees(np.arctan2(np.sqrt(0.75) * (green - blue), red - (green + blue) / 2)) % 360.0)


def chroma_rest(image: NDArray[np.uint8]) -> float:
    """RMS chroma, 0..255, that is left when each level of luma has its mean: a tinted monochrome has next to none."""
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).reshape(-1, 3)
    level = planes[:, 0].astype(np.int64) * _STEPS // 256
    count = np.maximum(np.bincount(level, minlength=_STEPS), 1)
    rest = 0.0
    for chroma in (planes[:, 1].astype(np.float64), planes[:, 2].astype(np.float64)):
        mean = np.bincount(level, chroma, _STEPS) / count
        rest += float(np.mean((chroma - mean[level]) ** 2))
    return float(np.sqrt(rest))


def _inside(points: NDArray[np.float64]) -> NDArray[np.uint8] | None:
    """1 within the convex hull of `points` [n, 2], index coordinates; None when that misses the picture."""
    mask: NDArray[np.uint8] = np.zeros((_SIDE, _SIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask if mask.any() else None


def outlines(luma: NDArray[np.uint8]) -> float:
    """Share of px on edges harder than a lens draws: drawings have outlines, photos hardly any."""
    return float(np.mean(np.abs(cv2.Laplacian(luma, cv2.CV_32F)) > _HARD))
