"""Bytes of any image format <-> uint8 RGB arrays of shape HWC: the only place that knows decoders and colour orders.

What comes out is what a person would see: turned by its EXIF orientation, converted to sRGB, CMYK and palettes
resolved, 16 bits scaled to 8, transparency laid on white, an animation's first frame. Formats are told by their leading
bytes, never by a name or a Content-Type. Files that are cut short or too large are refused with an ImageError whose
`reason` is one of REASONS; sizes are read from the header, before anything is decoded.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.core.optional_packages import how_to_install
from curate.pipeline.imaging import jpeg, srgb, unread
from curate.pipeline.imaging.formats import Format as Format
from curate.pipeline.imaging.formats import sniff as sniff

RGB = NDArray[np.uint8]  # [H, W, 3], sRGB, 0..255

REASONS = frozenset("bomb decode_failed animated not_image unsupported too_large".split())
MAX_PIXELS, MAX_SIDE = 64_000_000, 20_000  # px: of all, and along one side

Image.MAX_IMAGE_PIXELS = MAX_SIDE**2  # process-wide, so only here; max_pixels is checked before any pixel is decoded
warnings.simplefilter("error", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged tags: a reason says what matters


class ImageError(Exception):
    """Bytes that are not an acceptable image, and why: `reason` is one of REASONS.

    Of one in a format that is not read, `format` is its name and `advice` says what to do with the file.
    """

    def __init__(self, reason: str, detail: str = "", unread: tuple[str, str] | None = None) -> None:
        assert reason in REASONS, reason
        self.reason = reason
        self.format = unread[0] if unread else None
        self.advice = unread[1] if unread else None
        detail = ": ".join(unread) if unread else detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


@dataclass(frozen=True)
class Info:
    """What the header says."""

    format: Format
    width: int  # px, after EXIF rotation
    height: int
    mode: str  # Pillow's name: 1 L LA P RGB RGBA CMYK I;16 ...
    orientation: int = 1  # EXIF, 1..8: what the decoder leaves to be turned
    animated: bool = False
    alpha: bool = False
    icc: bytes | None = None


_PILLOW = {**{f: f.name for f in Format}, Format.HEIC: "HEIF"}
_SELF_TURNING = {"TIFF", "HEIF"}  # these decoders turn the picture and its size themselves
_XMP = ("xmp", "XML:com.adobe.xmp")  # whose orientation Pillow would take, too


def inspect(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Info:
    """What the header of `data` says, without decoding pixels.

    Raises ImageError: not_image, unsupported, decode_failed for a broken header, bomb above `max_pixels` or MAX_SIDE.
    """
    return _open(data, max_pixels)[0]


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> RGB:
    """The picture in `data`: uint8 RGB [H, W, 3], upright, in sRGB, on white. Raises ImageError."""
    info, header, lazy = _open(data, max_pixels)
    if header is not None and is_fast(header):
        return upright(_decode_jpeg(data, cv2.IMREAD_COLOR, header, 1), info.orientation)
    return _decode_pillow(lazy or open_pillow(data, info.format), info)


def from_pillow(image: Image.Image) -> tuple[RGB, int]:
    """What `decode` gives for the file of `image`, which stays as it is, and its orientation. Raises ImageError."""
    hidden = {name: image.info.pop(name) for name in _XMP if name in image.info}  # as in _orientation
    try:
        _tried(image.load)
        turned = 1 if image.format in _SELF_TURNING else _valid(image.getexif().get(0x0112, 1))
        shown = srgb.shown(image, image.info.get("icc_profile") or None)
        return upright(np.asarray(shown, np.uint8), turned), turned
    except ImageError:
        raise
    except Exception as error:  # as in open_pillow
        raise ImageError("decode_failed", str(error)) from None
    finally:
        image.info.update(hidden)


def preview(data: bytes, least: int, *, max_pixels: int = MAX_PIXELS) -> tuple[RGB, int] | None:
    """A large JPEG at 1/8 or 1/4 of its size, and that divisor; None for every other picture. Raises ImageError.

    Its longer side keeps `least` px or more. JPEG's own scaling; by half it costs nearly what the whole costs.
    """
    if (header := plain_jpeg(data)) is None:
        return None
    info = _facts(header, max_pixels)
    for divisor, flags in ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4)):
        if max(info.width, info.height) >= divisor * least:
            return upright(_decode_jpeg(data, flags, header, divisor), info.orientation), divisor
    return None


def plain_jpeg(data: bytes) -> jpeg.Jpeg | None:
    """The header of a whole JPEG that the fast decoder takes; None for everything else."""
    header = jpeg.walk(data) if sniff(data[:32]) is Format.JPEG else None
    return header if header is not None and is_fast(header) else None


def verify(
    data: bytes, *, max_pixels: int = MAX_PIXELS, header: jpeg.Jpeg | None = None, animated: bool = False
) -> Info:
    """Proves that `data` are whole and that `decode` takes them, as cheaply as can be. Raises ImageError.

    `header`: what `plain_jpeg` said, where it was asked before. An animation is refused unless `animated`.
    """
    if header is not None:
        info = _facts(header, max_pixels)
    else:
        info, header, _ = _open(data, max_pixels)
    if info.animated and not animated:
        raise ImageError("animated")
    if header is None or not is_fast(header):
        decode(data, max_pixels=max_pixels)
    elif (start := jpeg.beginning(data, header)) is None:
        _decode_jpeg(data, cv2.IMREAD_REDUCED_GRAYSCALE_8, header, 8)  # all of the entropy coding, 1/64 of the rest
    else:  # by Pillow, which does not print that it ends early
        _tried(open_pillow(start, info.format).load)
    return info


def verify_png(data: bytes) -> None:
    """Proves by its checksums that a PNG is whole, without decoding a pixel. Raises ImageError."""
    if (lazy := _open(data, MAX_PIXELS)[2]) is not None:
        _tried(lazy.verify)


def supported(data: bytes) -> None:
    """Raises ImageError where `data` are a picture in a format that is known and not read, by its name."""
    kind = sniff(data[:32])
    if kind is Format.HEIC and not reads_heic():
        raise ImageError(
            "unsupported", unread=("HEIC", f"{how_to_install('pillow_heif')}, or convert it to JPEG or PNG")
        )
    if kind in {None, Format.TIFF} and (found := unread.identify(data)) is not None:
        raise ImageError("unsupported", unread=found)


def encode_png(rgb: RGB) -> bytes:
    """`rgb`, uint8 [H, W, 3], as PNG."""
    return _encode(".png", rgb, [])


def encode_jpeg(rgb: RGB, quality: int = 95) -> bytes:
    """`rgb`, uint8 [H, W, 3], as JPEG without chroma subsampling from quality 90 up."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if quality >= 90 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    return _encode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, int(sampling)])


def _encode(extension: str, rgb: RGB, settings: list[int]) -> bytes:
    assert rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3, (rgb.dtype, rgb.shape)
    done, buffer = cv2.imencode(extension, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), settings)
    assert done, f"cv2 cannot write {extension} of shape {rgb.shape}"
    return buffer.tobytes()


def _open(data: bytes, max_pixels: int) -> tuple[Info, jpeg.Jpeg | None, Image.Image | None]:
    """The header's facts, and the structure that they were read from: a regular JPEG's, or Pillow's."""
    kind = sniff(data[:32])
    supported(data)
    if kind is None:
        raise ImageError("not_image", repr(data[:64]))
    header = jpeg.walk(data) if kind is Format.JPEG else None
    if header is not None and header.plain:
        return _facts(header, max_pixels), header, None
    lazy = open_pillow(data, kind)
    _bounded(*lazy.size, max_pixels, jpeg.count_scans(data) if kind is Format.JPEG else 1)
    return _described(lazy, kind, data), header, lazy


def _facts(header: jpeg.Jpeg, max_pixels: int) -> Info:
    turned = jpeg.orientation(header.exif)
    size = (header.height, header.width) if turned >= 5 else (header.width, header.height)
    _bounded(*size, max_pixels, header.scans)
    return Info(Format.JPEG, *size, "L" if header.components == 1 else "RGB", turned, icc=header.icc)


def _bounded(width: int, height: int, max_pixels: int, scans: int = 1) -> None:
    if width * height > max_pixels or max(width, height) > MAX_SIDE or jpeg.is_costly(scans, width * height):
        raise ImageError("bomb", f"{width}x{height} px, scans: {scans}")


def is_fast(header: jpeg.Jpeg) -> bool:
    """Whether the fast decoder gives a JPEG's true colours."""
    return header.plain and (header.icc is None or srgb.is_srgb(header.icc))


def _decode_jpeg(data: bytes, flags: int, header: jpeg.Jpeg, reduction: int) -> RGB:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    expected = (-(-header.height // reduction), -(-header.width // reduction))
    if pixels is None or pixels.shape[:2] != expected:
        raise ImageError("decode_failed", "JPEG")
    if pixels.ndim == 3:
        cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)
    return np.asarray(pixels, np.uint8)


def upright(rgb: RGB, orientation: int) -> RGB:
    """`rgb` [H, W, channels] turned and mirrored as an EXIF `orientation`, 1..8, says."""
    if orientation in {5, 6, 7, 8}:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        rgb = rgb[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        rgb = rgb[::-1]
    return np.require(rgb, requirements=["C", "W"])


def open_pillow(data: bytes, kind: Format) -> Image.Image:
    """A lazily opened image. The list of formats keeps Pillow's other decoders shut."""
    try:
        return Image.open(io.BytesIO(data), formats=[_PILLOW[kind]])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("bomb", str(error)) from None
    except Exception as error:  # bytes from strangers: a decoder may raise anything, and each means the same to us
        raise ImageError("decode_failed", str(error)) from None


@lru_cache(maxsize=1)
def reads_heic() -> bool:
    """Whether the optional plugin is there; it joins Pillow's formats then."""
    with contextlib.suppress(ImportError):
        pillow_heif = importlib.import_module("pillow_heif")
        pillow_heif.register_heif_opener()
    return "HEIF" in Image.OPEN


def _described(image: Image.Image, kind: Format, data: bytes) -> Info:
    width, height = image.size
    try:
        turned = _orientation(image, kind, data)
        animated = bool(getattr(image, "is_animated", False)) and kind not in {Format.JPEG, Format.TIFF}
    except Exception as error:  # as in open_pillow
        raise ImageError("decode_failed", str(error)) from None
    width, height = (height, width) if turned >= 5 else (width, height)
    alpha, icc = image.has_transparency_data, image.info.get("icc_profile") or None
    return Info(kind, width, height, image.mode, turned, animated, alpha, icc)


def _orientation(image: Image.Image, kind: Format, data: bytes) -> int:
    """How an opened `image` lies once it is loaded, 1..8 as in EXIF. XMP is no part of it, as in browsers."""
    if kind is Format.PNG:
        if b"eXIf" not in data and b"Raw profile type" not in data:
            return 1
        image.load()  # its EXIF may follow the pixels
    for name in _XMP:
        image.info.pop(name, None)
    return 1 if image.format in _SELF_TURNING else _valid(image.getexif().get(0x0112, 1))


def _valid(turned: int) -> int:
    return turned if turned in range(1, 9) else 1


def _decode_pillow(image: Image.Image, info: Info) -> RGB:
    with image:
        _tried(image.load)
        try:
            shown = srgb.shown(image, info.icc)
            return upright(np.asarray(shown, np.uint8), info.orientation)
        except Exception as error:  # as in open_pillow
            raise ImageError("decode_failed", str(error)) from None


def _tried(read: Callable[[], object]) -> None:
    try:
        read()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("bomb", str(error)) from None
    except Exception as error:  # as in open_pillow
        raise ImageError("decode_failed", str(error)) from None
