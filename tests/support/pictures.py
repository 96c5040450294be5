"""Drawn pictures, and a colour profile, for tests that look at single pixels."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

from curate.pipeline.imaging.codec import RGB

_DISPLAY_P3 = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}


def smooth(height: int, width: int, period: float = 25.0) -> RGB:
    """Waves of colour whose brightness changes everywhere and by few levels from px to px."""
    y, x = np.mgrid[:height, :width] / period
    waves = [
        np.sin(2 * np.pi * (x + 0.3 * y)),
        np.cos(2 * np.pi * (y - 0.2 * x)),
        np.sin(2 * np.pi * (0.5 * x + 0.6 * y)),
    ]
    return np.rint(128 + 90 * np.stack(waves, -1)).astype(np.uint8)


def wide_profile() -> bytes:
    """Display P3, the profile of phones: sRGB's curve with primaries further out."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * profile[131], 12):
        tag, place, _ = struct.unpack(">4s2I", profile[entry : entry + 12])
        if tag in _DISPLAY_P3:
            numbers = (round(value * 65536) for value in _DISPLAY_P3[tag])
            profile[place + 8 : place + 20] = struct.pack(">3i", *numbers)
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "P3 D".encode("utf-16-be")).replace(b"sRGB", b"P3 D")
