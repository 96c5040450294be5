"""What a decoder gives, as 8-bit sRGB on white: depths, colour profiles, palettes, CMYK, transparency."""

from __future__ import annotations

import io
import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

OWN_MODES = frozenset({"RGB", "RGBA", "P", "PA"})  # whose profile can be one of RGB


def shown(image: Image.Image, icc: bytes | None) -> Image.Image:
    """A loaded `image` of any mode as a person sees it: mode RGB, in sRGB, transparency laid on white.

    `icc` is its colour profile; one that is broken or of another colour space is ignored.
    """
    return _flat(_in_srgb(_eight_bit(image), icc))


def layers(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """A loaded `image` of any mode with its own values, 8 bits each, as RGB or RGBA, and the profile that they keep.

    Values that no profile of RGB describes (grey, CMYK) come in sRGB, without a profile.
    """
    image = _eight_bit(image)
    if image.mode in {"P", "PA"} or image.has_transparency_data:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if icc is not None and not (image.mode in {"RGB", "RGBA"} and _is_rgb(icc)):
        image, icc = _in_srgb(image, icc), None
    return (image if image.mode == "RGBA" else image.convert("RGB")), icc


def to_profile(rgb: NDArray[np.uint8], icc: bytes) -> NDArray[np.uint8]:
    """sRGB [H, W, 3] in the colours of the RGB profile `icc`, as near as they come."""
    if is_srgb(icc):
        return rgb
    done = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(rgb)), _to_profile(icc))
    assert done is not None, "applyTransform returns None only in place"
    return np.asarray(done, np.uint8)


@lru_cache(maxsize=8)
def _to_profile(icc: bytes) -> ImageCms.ImageCmsTransform:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")


@lru_cache(maxsize=64)
def _is_rgb(icc: bytes) -> bool:
    """Whether `icc` is a profile of RGB that sRGB can be converted to."""
    try:
        _to_profile(icc)
    except (OSError, ImageCms.PyCMSError, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def is_srgb(icc: bytes) -> bool:
    """Whether the profile says that its colours are sRGB's; a broken one says nothing, so they are."""
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    except (OSError, ImageCms.PyCMSError):
        return True
    return "srgb" in name.lower()


def _eight_bit(image: Image.Image) -> Image.Image:
    """Deep grey scaled to 8 bits; Pillow's own conversion would clip everything above 255 to white."""
    if not re.match(r"I|F", image.mode):
        return image
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        values = np.nan_to_num(values) * (255.0 if np.nanmax(values, initial=0.0) <= 1.0 else 1.0)
    else:
        values = values // (256 if values.max(initial=0) <= 0xFFFF else 1 << 24)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """`image` in sRGB, its alpha kept."""
    if icc is None or is_srgb(icc):
        return image
    if image.mode not in {"L", "RGB", "RGBA", "CMYK"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colour = image.convert("RGB") if alpha is not None else image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        done = ImageCms.profileToProfile(colour, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError, ValueError):
        return image
    assert done is not None, "profileToProfile returns None only in place"
    if alpha is not None:
        done.putalpha(alpha)
    return done


def _flat(image: Image.Image) -> Image.Image:
    """`image` as RGB, transparency laid on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
