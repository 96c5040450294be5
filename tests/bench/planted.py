"""Copies of a picture as the web makes them, for the benchmark of dedup's precision and recall."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging import codec

RGB = NDArray[np.uint8]  # [H, W, 3]


def _recompressed(rgb: RGB) -> RGB:
    return codec.decode(codec.encode_jpeg(rgb, 40))


def _resized(rgb: RGB) -> RGB:
    return np.asarray(cv2.resize(rgb, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8)


def _brighter(rgb: RGB) -> RGB:
    return np.clip(rgb.astype(np.int16) + 30, 0, 255).astype(np.uint8)


def _contrast(rgb: RGB) -> RGB:
    return np.clip((rgb.astype(np.float64) - 128) * 0.75 + 128, 0, 255).astype(np.uint8)


def _cropped(share: float) -> Callable[[RGB], RGB]:
    def crop(rgb: RGB) -> RGB:
        y, x = round(rgb.shape[0] * share), round(rgb.shape[1] * share)
        return rgb[y : rgb.shape[0] - y, x : rgb.shape[1] - x]

    return crop


def _flipped(rgb: RGB) -> RGB:
    return np.ascontiguousarray(rgb[:, ::-1])


def _turned(rgb: RGB) -> RGB:
    return np.ascontiguousarray(np.rot90(rgb))


def _bordered(rgb: RGB) -> RGB:
    width = round(min(rgb.shape[:2]) * 0.05)
    return np.asarray(cv2.copyMakeBorder(rgb, *(width,) * 4, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)


def _lettered(rgb: RGB) -> RGB:
    """White letters with a dark rim across the lower part, as sites and captions have them."""
    out, scale = np.ascontiguousarray(rgb).copy(), rgb.shape[1] / 300
    at = (round(rgb.shape[1] * 0.05), round(rgb.shape[0] * 0.93))
    for colour, width in (((0, 0, 0), 6), ((255, 255, 255), 2)):
        thick = max(round(width * scale), 1)
        cv2.putText(out, "example.org", at, cv2.FONT_HERSHEY_SIMPLEX, scale * 1.3, colour, thick, cv2.LINE_AA)
    return out


CHANGES: Mapping[str, Callable[[RGB], RGB]] = {
    "recompress q40": _recompressed,
    "resize 0.6": _resized,
    "brightness +30": _brighter,
    "contrast 0.75": _contrast,
    "crop 2 %": _cropped(0.02),
    "crop 5 %": _cropped(0.05),
    "border 5 %": _bordered,
    "text overlay": _lettered,
    "flip": _flipped,
    "turn 90": _turned,
}
