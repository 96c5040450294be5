"""Pictures for people: in the format that the file's name says, with profile and EXIF, and the mark of what made them.

PNG and WebP are written without loss, so that what was not painted keeps its values; JPEG in high quality.
"""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import synthetic
from curate.pipeline.imaging.photo import Photo, to_pillow
from curate.train.translate.metadata import kept_exif

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
QUALITY = 95  # of JPEG, whose colours keep their full resolution
EFFORT = 20  # of lossless WebP, 0..100: more costs minutes and saves little
LARGEST = {".jpg": 65_535, ".jpeg": 65_535, ".webp": 16_383}  # px a side that the formats can say
_HEADER = 33  # bytes of a PNG up to the end of its first chunk


def encode(picture: Photo, suffix: str, xmp: bytes = b"") -> bytes:
    """`picture` as a file that ends in `suffix`, one of SUFFIXES in any case; equal pictures, equal bytes.

    Its EXIF is cleaned; `xmp` is a packet for the file. A JPEG shows what is transparent on white. Raises UsageError
    for sides that the format can't hold.
    """
    suffix = suffix.lower()
    check_sides(picture, suffix)
    exif = kept_exif(picture.exif)
    if suffix == ".png":
        data = _png(picture, exif)
        return synthetic.marked(data, xmp) if xmp else data
    file = io.BytesIO()
    if suffix == ".webp":
        image, profile = to_pillow(picture), picture.profile or srgb_profile()
        image.save(file, "WEBP", lossless=True, quality=EFFORT, exact=True, icc_profile=profile, exif=exif, xmp=xmp)
        return file.getvalue()
    if picture.alpha is not None:
        picture = Photo.of(picture.shown)
    settings = {"quality": QUALITY, "subsampling": 0, "optimize": True}
    profile = picture.profile or srgb_profile()
    Image.fromarray(picture.own).save(file, "JPEG", **settings, icc_profile=profile, exif=exif, xmp=xmp)
    return file.getvalue()


def check_sides(picture: Photo, suffix: str) -> None:
    """Raises UsageError for sides that files of `suffix` can't hold."""
    width, height = picture.size
    if max(width, height) > LARGEST.get(suffix, 2**31):
        raise UsageError(f"{width}x{height} px: a {suffix} has {LARGEST[suffix]:,} px a side at most", "write a .png")


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """sRGB, without the time at which it was made."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # its date, in the header that ICC.1 section 7.2 describes
    return bytes(made)


def _png(picture: Photo, exif: bytes) -> bytes:
    """By OpenCV, which is several times as fast as Pillow, and its chunks put between."""
    values = picture.own if picture.alpha is None else np.dstack([picture.own, picture.alpha])
    order = cv2.COLOR_RGB2BGR if picture.alpha is None else cv2.COLOR_RGBA2BGRA
    done, buffer = cv2.imencode(".png", cv2.cvtColor(values, order))
    assert done, f"cv2 cannot write PNG of shape {values.shape}"
    data = buffer.tobytes()
    chunks = synthetic.png_chunk(b"iCCP", b"ICC\0\0" + zlib.compress(picture.profile or srgb_profile(), 9))
    if exif:
        chunks += synthetic.png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    return data[:_HEADER] + chunks + data[_HEADER:]
