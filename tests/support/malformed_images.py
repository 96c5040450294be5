"""Five hundred images that are broken, odd or huge: the same ones every time, but for AVIF's time stamps.

Each has a name whose first word says what is wrong with it, and the bytes. Some are fine, only unusual; those must
come through.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tests.support import drawn_people

COUNT = 500
SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "AVIF": "avif"}
Named = tuple[str, bytes]


def make() -> list[Named]:
    """COUNT pairs of a file name and its bytes, all names different."""
    rng = np.random.default_rng(20261)
    found = [*_shapes(), *_modes(rng), *_moving(), *_metadata(rng), *_impostors(rng), *_huge(), *_bitmaps(), *_whole()]
    damages = (_cut, _flipped, _spliced, _holed)
    while len(found) < COUNT:
        damage = damages[len(found) % len(damages)]
        kind, whole = _originals()[int(rng.integers(len(_originals())))]
        found.append(damage(kind, whole, rng))
    return [(f"{name.split('.')[0]}-{n:03}.{name.split('.')[1]}", data) for n, (name, data) in enumerate(found)]


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _person() -> Image.Image:
    return Image.fromarray(drawn_people.photo(3))


@lru_cache(maxsize=1)
def _originals() -> tuple[tuple[str, bytes], ...]:
    """A portrait in every format, those that are met most often more than once."""
    person = _person()
    found = [("JPEG", _saved(person, "JPEG", quality=85))] * 4
    found += [("JPEG", _saved(person, "JPEG", quality=85, progressive=True))] * 3
    found += [("JPEG", _saved(person.convert("CMYK"), "JPEG")), ("JPEG", _saved(person.convert("L"), "JPEG"))]
    found += [("PNG", _saved(person, "PNG"))] * 3 + [("PNG", _saved(person.convert("P"), "PNG"))]
    found += [("WEBP", _saved(person, "WEBP"))] * 2 + [("WEBP", _saved(person, "WEBP", lossless=True))]
    found += [("GIF", _saved(person, "GIF")), ("BMP", _saved(person, "BMP"))]
    found += [("TIFF", _saved(person, "TIFF", compression=c)) for c in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")]
    found += [("AVIF", _saved(person, "AVIF"))] * 2
    return tuple(found)


def _whole() -> Iterator[Named]:
    for kind, data in dict.fromkeys(_originals()):
        yield f"whole.{SUFFIX[kind]}", data


def _cut(kind: str, data: bytes, rng: np.random.Generator) -> Named:
    return f"cut.{SUFFIX[kind]}", data[: int(rng.integers(1, len(data) - 2))]


def _flipped(kind: str, data: bytes, rng: np.random.Generator) -> Named:
    """Some bits turned over, half of the time in the header."""
    damaged = bytearray(data)
    reach = len(data) if rng.random() < 0.5 else min(600, len(data))
    for at in rng.integers(2, reach, int(rng.integers(1, 16))):
        damaged[int(at)] ^= 1 << int(rng.integers(8))
    return f"flipped.{SUFFIX[kind]}", bytes(damaged)


def _spliced(kind: str, data: bytes, rng: np.random.Generator) -> Named:
    """Strange bytes put in somewhere, which moves the rest."""
    at = int(rng.integers(4, len(data)))
    return f"spliced.{SUFFIX[kind]}", data[:at] + rng.bytes(int(rng.integers(1, 400))) + data[at:]


def _holed(kind: str, data: bytes, rng: np.random.Generator) -> Named:
    """A run of zeros, as a disk leaves it."""
    at = int(rng.integers(4, len(data) - 1))
    size = min(int(rng.integers(16, 4096)), len(data) - at)
    return f"holed.{SUFFIX[kind]}", data[:at] + bytes(size) + data[at + size :]


def _shapes() -> Iterator[Named]:
    for width, height in ((1, 1), (1, 3000), (3000, 1), (2, 9000), (9000, 2), (3, 7)):
        for kind in ("JPEG", "PNG", "BMP"):
            yield f"thin.{SUFFIX[kind]}", _saved(Image.new("RGB", (width, height), "teal"), kind)
    for size in ((1, 25_000), (25_000, 1)):
        yield "toolong.png", _saved(Image.new("L", size), "PNG")


def _modes(rng: np.random.Generator) -> Iterator[Named]:
    person, grey = _person(), _person().convert("L")
    deep = np.asarray(grey, np.uint16) * 257
    floats = np.asarray(grey, np.float32)
    floats[:20] = np.nan
    floats[20:40] = np.inf
    clear = person.convert("RGBA")
    clear.putalpha(Image.fromarray(rng.integers(0, 256, (300, 300), np.uint8)))
    hidden = Image.fromarray(np.dstack([rng.integers(0, 256, (300, 300, 3), np.uint8), np.zeros((300, 300), np.uint8)]))
    palette = person.convert("P", palette=Image.Palette.ADAPTIVE)
    for image in (clear, hidden, grey.convert("LA"), person.convert("1"), Image.fromarray(deep), palette):
        yield "mode.png", _saved(image, "PNG")
    yield "mode.png", _saved(palette, "PNG", transparency=bytes(range(256)))
    yield "mode.png", _saved(palette, "PNG", transparency=3)
    yield "mode.png", _saved(person, "PNG", transparency=(200, 180, 160))
    for image in (Image.fromarray(deep), Image.fromarray(floats), Image.fromarray(deep.astype(np.int32))):
        yield "mode.tif", _saved(image, "TIFF")
    for mode in ("CMYK", "LAB", "YCbCr", "1", "RGBA"):
        yield "mode.tif", _saved(person.convert("RGB").convert(mode) if mode != "LAB" else _lab(), "TIFF")
    yield "mode.jpg", _saved(person.convert("CMYK"), "JPEG")
    yield "mode.jpg", _saved(person, "JPEG", subsampling=2, restart_marker_rows=1)
    yield "mode.webp", _saved(clear, "WEBP")
    yield "mode.gif", _saved(palette, "GIF", transparency=0)


def _lab() -> Image.Image:
    from PIL import ImageCms

    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    done = ImageCms.profileToProfile(_person(), srgb, lab, outputMode="LAB")
    assert done is not None
    del done.info["icc_profile"]  # it holds the time
    return done


def _moving() -> Iterator[Named]:
    frames = [Image.fromarray(drawn_people.photo(seed)) for seed in (1, 2)]
    for kind in ("GIF", "WEBP", "PNG", "AVIF"):
        yield f"moving.{SUFFIX[kind]}", _saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    yield "pages.tif", _saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])


def _metadata(rng: np.random.Generator) -> Iterator[Named]:
    """Fine pictures with nonsense beside the pixels."""
    person = _person()
    for value in (0, 3, 6, 8, 9, 65_535):
        exif = Image.Exif()
        exif[0x0112] = value
        yield "metadata.jpg", _saved(person, "JPEG", exif=exif.tobytes())
    for size in (0, 1, 7, 200, 60_000):
        yield "metadata.jpg", _saved(person, "JPEG", exif=b"Exif\0\0" + rng.bytes(size))
        yield "metadata.jpg", _saved(person, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + rng.bytes(size))
    for size in (1, 128, 4_000, 70_000):
        yield "metadata.jpg", _saved(person, "JPEG", icc_profile=rng.bytes(size))
        yield "metadata.png", _saved(person, "PNG", icc_profile=rng.bytes(size))
        yield "metadata.webp", _saved(person, "WEBP", icc_profile=rng.bytes(size))
        yield "metadata.jpg", _saved(person, "JPEG", comment=rng.bytes(min(size, 60_000)))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 20_000, zip=True)
    yield "metadata.png", _saved(person, "PNG", pnginfo=text)
    yield "metadata.jpg", _saved(person, "JPEG") + rng.bytes(5_000)  # and a tail that belongs to nothing


def _impostors(rng: np.random.Generator) -> Iterator[Named]:
    """Files that are no pictures, or of a kind that is not read."""
    yield "empty.jpg", b""
    yield "empty.png", b""
    texts = ["<!doctype html><title>404</title>", "\ufeff{}", "GIF", "\0" * 4096, " "]
    for word, own in (("text", texts), ("other", ["%PDF-1.7", "<svg xmlns='x'/>"])):
        for text in own:
            for suffix in ("jpg", "png", "webp"):
                yield f"{word}.{suffix}", text.encode()
    for kind in ("ICO", "PCX", "TGA", "PPM", "SGI", "EPS", "JPEG2000"):
        yield "other.jpg", _saved(_person(), kind)
    magics = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"II*\0", b"MM\0*")
    brands = (b"heic", b"mif1", b"avif", b"avis")
    for magic in (*magics, *(b"\0\0\0\x1cftyp" + brand + bytes(4) for brand in brands)):
        for size in (0, 9, 700):
            yield "magic.jpg", magic + rng.bytes(size)


def _huge() -> Iterator[Named]:
    """Headers that promise more than there is, and files that keep such promises."""
    for side in (30_000, 65_535, 2**31 - 1):
        size = struct.pack(">II", side, side)
        yield "huge.png", _with_header(_saved(_person(), "PNG"), size)
        yield "huge.bmp", _patched(_saved(_person(), "BMP"), 18, struct.pack("<ii", side, side))
        short = struct.pack(">HH", min(side, 65_535), min(side, 65_535))
        jpeg = _saved(_person(), "JPEG")
        yield "huge.jpg", _patched(jpeg, jpeg.index(b"\xff\xc0") + 5, short)
        yield "huge.gif", _patched(_saved(_person(), "GIF"), 6, short)
    yield "huge.png", _saved(Image.new("1", (12_000, 12_000)), "PNG")
    yield "huge.gif", _saved(Image.new("P", (9_000, 9_000)), "GIF")
    yield "large.png", _saved(Image.new("1", (7_000, 7_000)), "PNG")  # allowed: 49 megapixels in 6 kB
    yield "bomb.png", _chunk_added(_saved(_person(), "PNG"), b"zTXt", b"k\0\0" + zlib.compress(bytes(8_000_000), 9))
    yield "bomb.png", _chunk_added(_saved(_person(), "PNG"), b"iCCP", b"k\0\0" + zlib.compress(bytes(8_000_000), 9))


def _bitmaps() -> Iterator[Named]:
    """The older kinds of BMP."""
    whole = _saved(_person(), "BMP")
    yield "bitmap.bmp", _patched(whole, 22, struct.pack("<i", -300))  # the first row on top
    yield "bitmap.bmp", _patched(whole, 28, struct.pack("<H", 5))  # 5 bits
    yield "bitmap.bmp", _patched(whole, 10, struct.pack("<I", 2**31))  # pixels begin far behind the end
    for compression in (1, 2, 3, 9):
        yield "bitmap.bmp", _patched(whole, 30, struct.pack("<I", compression))
    rows = b"".join(b"\x40\x07" * 1 + b"\0\0" for _ in range(64)) + b"\0\1"
    colours = bytes(value for level in range(256) for value in (level, level, level, 0))
    head = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, len(rows), 0, 0, 256, 0)
    begin = 14 + len(head) + len(colours)
    yield "bitmap.bmp", struct.pack("<2sIHHI", b"BM", begin + len(rows), 0, 0, begin) + head + colours + rows
    yield "bitmap.bmp", _saved(_person().convert("1"), "BMP")
    yield "bitmap.bmp", _saved(_person().convert("P"), "BMP")


def _patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def _with_header(png: bytes, size: bytes) -> bytes:
    """`png` with another size in its header, and the right checksum."""
    header = b"IHDR" + size + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


def _chunk_added(png: bytes, kind: bytes, body: bytes) -> bytes:
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return png[:33] + chunk + png[33:]
