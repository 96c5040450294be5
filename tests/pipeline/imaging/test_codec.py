"""Images of every kind become what a person would see, or are refused with a reason."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from curate.pipeline.imaging import codec, jpeg, warp
from curate.pipeline.imaging.codec import Format, ImageError


def picture(width: int = 60, height: int = 40) -> np.ndarray:
    """A smooth picture with a red top left, green top right, blue bottom left and white bottom right corner."""
    y, x = np.mgrid[0:height, 0:width]
    right, low = x / (width - 1), y / (height - 1)
    red, green, blue = (1 - right) * (1 - low) + right * low, right, low
    return (np.stack([red, green, blue], -1) * 255).round().astype(np.uint8)


def saved(rgb: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(rgb)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def apart(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())


def refusal(data: bytes, **options: int) -> str:
    with pytest.raises(ImageError) as caught:
        codec.decode(data, **options)
    return caught.value.reason


def with_scans(scans: int, side: int = 64) -> bytes:
    """A progressive JPEG, the last of whose scans is there once more until it has so many."""
    data = saved(picture(side, side), "JPEG", progressive=True)
    starts = [start - 4 for marker, start, _ in jpeg._segments(data) if marker == jpeg.SOS]
    return data[:-2] + data[starts[-1] : -2] * (scans - len(starts)) + data[-2:]


@pytest.mark.parametrize(
    "change", [lambda data: data, lambda data: data[:-2], lambda data: data[:20] + b"\0" + data[20:]]
)
def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(
    change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        pytest.fail("decoded")

    assert codec.decode(with_scans(jpeg.SCANS)).shape == (64, 64, 3)
    monkeypatch.setattr(codec, "_tried", decode)
    monkeypatch.setattr(codec.cv2, "imdecode", decode)
    for look in (codec.inspect, codec.verify, codec.decode):
        with pytest.raises(ImageError, match=r"bomb: 64x64 px, scans: \d+|decode_failed: cannot identify"):
            look(change(with_scans(2000)))
    assert jpeg.count_scans(change(with_scans(jpeg.SCANS))) == jpeg.SCANS


def test_all_that_encoders_write_is_few_scans() -> None:
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            data = saved(picture(64, 64), "JPEG", mode, progressive=progressive, quality=95, subsampling=0)
            assert 1 <= jpeg.count_scans(data) <= 18


def test_px_times_scans_are_bounded() -> None:
    assert not jpeg.is_costly(30, codec.MAX_PIXELS)
    assert jpeg.is_costly(jpeg.SCANS, codec.MAX_PIXELS)


@pytest.mark.parametrize(
    ("kind", "format_", "loss"),
    [
        ("JPEG", Format.JPEG, 4),
        ("PNG", Format.PNG, 0),
        ("WEBP", Format.WEBP, 8),
        ("GIF", Format.GIF, 16),
        ("BMP", Format.BMP, 0),
        ("TIFF", Format.TIFF, 0),
        ("AVIF", Format.AVIF, 8),
    ],
)
def test_every_format_by_its_bytes(kind: str, format_: Format, loss: float) -> None:
    data = saved(picture(), kind)
    info = codec.inspect(data)
    assert (info.format, info.width, info.height, info.animated) == (format_, 60, 40, False)
    shown = codec.decode(data)
    assert shown.dtype == np.uint8
    assert shown.flags.c_contiguous
    assert apart(shown, picture()) <= loss
    assert codec.verify(data) == info


UNDO = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's number of what each orientation undoes


def turned(orientation: int, kind: str, **options: Any) -> bytes:
    """The picture stored so that `orientation` brings it upright; the file does not say so yet."""
    stored, step = Image.fromarray(picture()), UNDO[orientation]
    buffer = io.BytesIO()
    stored = stored if step is None else stored.transpose(Image.Transpose(step))
    if kind == "HEIF":  # its writer makes the container's own rotation of it, which alone counts there
        stored.info["exif"] = options.pop("exif").tobytes()
    stored.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_exif_orientation_turns_the_picture_upright(kind: str, orientation: int) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    frames = {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]} if kind == "MPO" else {}
    data = turned(orientation, kind, exif=exif, **frames)
    assert apart(codec.decode(data), picture()) < 8
    info = codec.verify(data)
    assert (info.width, info.height, info.animated) == (60, 40, False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_a_tiff_is_turned_once_whoever_decodes_it(compression: str, orientation: int) -> None:
    data = turned(orientation, "TIFF", tiffinfo={0x0112: orientation}, compression=compression)
    assert apart(codec.decode(data), picture()) < 8
    assert (codec.inspect(data).width, codec.inspect(data).height) == (60, 40)


def test_the_careful_decoder_of_jpeg_turns_once_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(picture()).transpose(Image.Transpose.ROTATE_90)
    buffer = io.BytesIO()
    stored.convert("CMYK").save(buffer, "JPEG", exif=exif)
    assert apart(codec.decode(buffer.getvalue()), picture()) < 8


def test_a_png_may_say_its_orientation_the_old_way() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes()
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(body):8}\n{body.hex()}\n", zip=True)
    assert apart(codec.decode(turned(6, "PNG", pnginfo=info)), picture()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_orientation_in_xmp_alone_turns_nothing(kind: str) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    options = {"PNG": {"pnginfo": info}, "TIFF": {"tiffinfo": {700: xmp}}}.get(kind, {"xmp": xmp})
    data = turned(1, kind, **options)
    assert xmp in data, "it is there"
    assert apart(codec.decode(data), picture()) < 8
    assert codec.inspect(data).width == 60


def test_the_fast_and_the_careful_decoder_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [saved(picture(61, 47), "JPEG", mode, quality=q) for mode in (None, "L") for q in (60, 95)]
    files.append(saved(picture(61, 47), "JPEG", progressive=True))
    fast = [codec.decode(data) for data in files]
    monkeypatch.setattr("curate.pipeline.imaging.jpeg.walk", lambda data: None)
    for quick, data in zip(fast, files):
        assert np.abs(quick.astype(int) - codec.decode(data)).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_file_cut_short_is_refused(kind: str, share: float) -> None:
    rng = np.random.default_rng(0)
    data = saved(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    cut = data[: max(16, int(len(data) * share))]
    assert refusal(cut) == "decode_failed"
    with pytest.raises(ImageError):
        codec.verify(cut)


def test_a_jpeg_with_something_behind_its_end_is_whole() -> None:
    assert apart(codec.decode(saved(picture(), "JPEG") + b"trailer of a phone"), picture()) < 4


def test_a_thumbnail_inside_does_not_hide_a_missing_end() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x"
    whole = saved(picture(200, 200), "JPEG", exif=exif.tobytes() + saved(picture(8, 8), "JPEG"))
    assert refusal(whole[: len(whole) * 2 // 3]) == "decode_failed"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><p>not found</p>",
        b"{}",
        b"BMW is a maker of cars and nothing else",
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    ],
)
def test_what_is_no_image_says_so(data: bytes) -> None:
    assert refusal(data) == "not_image"


def test_heic_is_named_but_not_read_without_its_plugin() -> None:
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    assert codec.sniff(data) is Format.HEIC
    assert refusal(data) == ("unsupported" if importlib.util.find_spec("pillow_heif") is None else "decode_failed")


def header_only_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(14_000, 14_000), (9_000, 9_000), (1, 30_000)])
def test_a_pixel_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    data = header_only_png(width, height)
    assert refusal(data) == "bomb"
    with pytest.raises(ImageError, match="bomb"):
        codec.inspect(data)


def test_the_pixel_limit_is_a_setting() -> None:
    data = saved(picture(60, 40), "JPEG")
    assert refusal(data, max_pixels=2_399) == "bomb"
    assert codec.decode(data, max_pixels=2_400).shape == (40, 60, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_refused_but_described(kind: str) -> None:
    frames = [Image.fromarray(np.full((32, 32, 3), shade, np.uint8)) for shade in (0, 90, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=50)
    assert codec.inspect(buffer.getvalue()).animated
    with pytest.raises(ImageError, match="animated"):
        codec.verify(buffer.getvalue())
    assert codec.verify(buffer.getvalue(), animated=True).animated
    assert codec.decode(buffer.getvalue()).max() < 8, "its first frame"


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str) -> None:
    deep = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(8, 0)
    shown = codec.decode(saved(deep, kind))
    assert (shown[..., 0] == deep // 256).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 2, 4))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "PNG")
    shown = codec.decode(buffer.getvalue())
    assert codec.inspect(buffer.getvalue()).alpha
    assert (shown[:, :2] == 0).all()
    assert (shown[:, 2:] == 255).all()


def test_cmyk_becomes_rgb() -> None:
    assert apart(codec.decode(saved(picture(), "JPEG", "CMYK")), picture()) < 6


def wide_gamut() -> bytes:
    """A matrix profile like sRGB with its red and green primaries exchanged, so that a conversion is unmistakable."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[i : i + 4]): i for i in range(132, 132 + 12 * profile[131], 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB", b"swap")


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P")])
def test_an_icc_profile_is_converted_to_srgb(kind: str, mode: str) -> None:
    red = np.full((16, 16, 3), (250, 5, 5), np.uint8)
    shown = codec.decode(saved(red, kind, mode, icc_profile=wide_gamut()))
    assert apart(shown, np.full((16, 16, 3), (5, 250, 5), np.uint8)) < 8


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_broken_icc_profile_costs_nothing(kind: str) -> None:
    assert apart(codec.decode(saved(picture(), kind, icc_profile=b"junk" * 50)), picture()) < 4


@given(st.binary(max_size=200), st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"]), st.integers(0))
def test_damaged_bytes_are_an_image_or_an_image_error(junk: bytes, kind: str, place: int) -> None:
    data = bytearray(saved(picture(16, 16), kind))
    at = place % len(data)
    data[at : at + len(junk)] = junk
    try:
        shown = codec.decode(bytes(data), max_pixels=1_000_000)
    except ImageError:
        return
    assert shown.ndim == 3
    assert shown.shape[2] == 3


def test_encoders_round_trip() -> None:
    assert (codec.decode(codec.encode_png(picture())) == picture()).all()
    assert apart(codec.decode(codec.encode_jpeg(picture(), 95)), picture()) < 3
    assert len(codec.encode_jpeg(picture(), 60)) < len(codec.encode_jpeg(picture(), 95))


@pytest.mark.parametrize(("side", "shape"), [(30, (20, 30, 3)), (60, (40, 60, 3)), (500, (40, 60, 3))])
def test_thumbnails_shrink_and_never_grow(side: int, shape: tuple[int, int, int]) -> None:
    assert warp.thumbnail(picture(), side).shape == shape


def test_real_photos_decode(data: Path) -> None:
    files = [p for p in sorted(data.rglob("*")) if p.is_file() and codec.sniff(p.read_bytes()[:32])][:60]
    assert files
    for path in files:
        content = path.read_bytes()
        info = codec.verify(content)
        assert codec.decode(content).shape == (info.height, info.width, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_is_verified_is_what_decodes(progressive: bool) -> None:
    """Damage in the middle of a JPEG: the quick proof says what the whole decoding says."""
    whole = io.BytesIO()
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(picture).save(whole, "JPEG", progressive=progressive)
    draw = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole.getvalue())
        for at in draw.integers(2, len(damaged) - 2, 4):
            damaged[at] = draw.integers(0, 255)
        verdicts = set()
        for judge in (codec.verify, codec.decode):
            try:
                judge(bytes(damaged))
                verdicts.add("ok")
            except codec.ImageError as error:
                verdicts.add(error.reason)
        assert len(verdicts) == 1


def test_a_photo_of_a_phone_is_read_where_the_plugin_is() -> None:
    plugin = pytest.importorskip("pillow_heif")
    picture = np.asarray(Image.linear_gradient("L").resize((320, 280)).convert("RGB"))
    buffer = io.BytesIO()
    plugin.from_pillow(Image.fromarray(picture)).save(buffer, quality=95)
    assert codec.verify(buffer.getvalue()).format is Format.HEIC
    assert np.abs(codec.decode(buffer.getvalue()).astype(int) - picture).mean() < 3


def test_more_pixels_than_pillow_likes_may_be_allowed() -> None:
    buffer = io.BytesIO()
    Image.new("1", (10_000, 9_500)).save(buffer, "PNG")
    assert codec.inspect(buffer.getvalue(), max_pixels=100_000_000).width == 10_000
    with pytest.raises(ImageError, match="bomb"):
        codec.inspect(buffer.getvalue())


@pytest.mark.parametrize("turned", [1, 6])
def test_a_large_jpeg_has_a_preview_as_large_as_asked(turned: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turned
    data = saved(picture(1600, 1000), "JPEG", quality=95, exif=exif.tobytes())
    whole = codec.decode(data)
    for least, divisor in ((200, 8), (201, 4), (400, 4)):
        small = codec.preview(data, least)
        assert small is not None and small[1] == divisor
        assert apart(small[0], whole[divisor // 2 :: divisor, divisor // 2 :: divisor]) < 6
    assert codec.preview(data, 401) is None
    assert codec.preview(saved(picture(1600, 1000), "PNG"), 100) is None
    with pytest.raises(ImageError, match="bomb"):
        codec.preview(data, 100, max_pixels=1000)
