"""Pictures for people: in the format that the file's name says, in high quality, with the profile of sRGB."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache

from PIL import Image, ImageCms

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
QUALITY = 95  # of JPEG, whose colours keep their full resolution, and of WebP
LARGEST = {".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}  # px a side that the formats can say
_HEADER = 33  # bytes of a PNG up to the end of its first chunk


def encode(rgb: codec.RGB, suffix: str) -> bytes:
    """`rgb`, uint8 [H, W, 3], as a file that ends in `suffix`, one of SUFFIXES in any case; equal pixels, equal bytes.

    Raises UsageError for sides that the format can't hold.
    """
    suffix = suffix.lower()
    if max(rgb.shape[:2]) > LARGEST.get(suffix, 2**31):
        raise UsageError(
            f"{rgb.shape[1]}x{rgb.shape[0]} px: a {suffix} has {LARGEST[suffix]:,} px a side at most",
            "write a .png",
        )
    if suffix == ".png":
        data = codec.encode_png(rgb)
        body = b"iCCPsRGB\0\0" + zlib.compress(_profile(), 9)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:_HEADER] + chunk + data[_HEADER:]
    file = io.BytesIO()
    picture = Image.fromarray(rgb)
    if suffix == ".webp":
        picture.save(file, "WEBP", quality=QUALITY, method=4, use_sharp_yuv=True, icc_profile=_profile())
    else:
        picture.save(file, "JPEG", quality=QUALITY, subsampling=0, optimize=True, icc_profile=_profile())
    return file.getvalue()


@lru_cache(maxsize=1)
def _profile() -> bytes:
    """sRGB, without the time at which it was made."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # its date, in the header that ICC.1 section 7.2 describes
    return bytes(made)
