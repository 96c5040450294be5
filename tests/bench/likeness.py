"""How alike two pictures are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # [height, width, 3], RGB


def psnr(a: Image, b: Image) -> float:
    """Peak signal-to-noise ratio over all px and channels, dB; inf for equal ones."""
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(a: Image, b: Image) -> float:
    """Mean structural similarity of the lumas, -1..1.

    Wang, Bovik, Sheikh and Simoncelli, Image quality assessment (2004), section III.B, with their window (a Gaussian
    of 11x11 px, sigma 1.5), K1 = 0.01 and K2 = 0.03; only windows that lie inside count.
    """
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (a, b))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = _window(x), _window(y)
    spread = _window(x * x) - mean_x**2 + _window(y * y) - mean_y**2
    shared = _window(x * y) - mean_x * mean_y
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((means * (2 * shared + c2) / (spread + c2)).mean())


def _window(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float64)[5:-5, 5:-5]
