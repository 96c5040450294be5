"""Photos that are to be written again: beside what a person sees, the pixels, profile and EXIF of the file itself.

What is changed in such a photo is changed in its own colours, so that everything else keeps its very values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.imaging import codec, srgb
from curate.pipeline.imaging.codec import RGB


@dataclass(frozen=True)
class Photo:
    """A photo, upright. Deeper pictures than 8 bits, grey ones and CMYK are kept as they are shown."""

    shown: RGB  # [H, W, 3]: as a person sees it, in sRGB, transparency on white
    own: RGB  # [H, W, 3]: the file's own values, in the colours of `profile`; `shown` itself where they are the same
    alpha: NDArray[np.uint8] | None = None  # [H, W]: 0 is transparent
    profile: bytes | None = None  # ICC, of `own`; None: sRGB
    exif: bytes = b""  # as it came; its orientation is done already

    @classmethod
    def of(cls, rgb: RGB) -> Photo:
        """uint8 sRGB [H, W, 3] alone."""
        return cls(rgb, rgb)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.shown.shape[1], self.shown.shape[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is what it shows: sRGB without transparency."""
        return self.own is self.shown


def decode(data: bytes, *, max_pixels: int = codec.MAX_PIXELS) -> Photo:
    """The photo in `data`; what it shows is what codec.decode gives. Raises ImageError."""
    shown = codec.decode(data, max_pixels=max_pixels)
    info = codec.inspect(data, max_pixels=max_pixels)
    with codec.open_pillow(data, info.format) as image:
        if not info.alpha and (info.icc is None or info.mode not in srgb.OWN_MODES):
            return Photo(shown, shown, exif=_exif(image))
        image.load()
        return _kept(shown, image, info.icc, info.orientation)


def from_pillow(image: Image.Image) -> Photo:
    """What `decode` gives for the file that `image` was opened from; `image` stays as it is. Raises ImageError."""
    shown, turned = codec.from_pillow(image)
    return _kept(shown, image, image.info.get("icc_profile") or None, turned)


def to_pillow(photo: Photo) -> Image.Image:
    """`photo` in its own colours, with its profile."""
    image = Image.fromarray(photo.own)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    if photo.profile is not None:
        image.info["icc_profile"] = photo.profile
    return image


def _kept(shown: RGB, image: Image.Image, icc: bytes | None, orientation: int) -> Photo:
    """The photo of a loaded `image` that shows `shown`."""
    layers, profile = srgb.layers(image, icc)
    values = codec.upright(np.asarray(layers, np.uint8), orientation)
    alpha = np.ascontiguousarray(values[..., 3]) if layers.mode == "RGBA" else None
    converted = profile is not None and not srgb.is_srgb(profile)
    own = np.ascontiguousarray(values[..., :3]) if converted or alpha is not None else shown
    return Photo(shown, own, alpha, profile, _exif(image))


def _exif(image: Image.Image) -> bytes:
    found = image.info.get("exif", b"")
    return found if isinstance(found, bytes) else b""
