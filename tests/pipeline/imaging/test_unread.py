"""Formats that are known and not read are called by their names; raw files never count as their previews."""

from __future__ import annotations

import io
import struct
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.imaging import codec, formats, tiff, unread

Entries = dict[int, tuple[int, bytes]]  # type and value, by tag


def short(*values: int) -> tuple[int, bytes]:
    return 3, struct.pack(f"<{len(values)}H", *values)


def long(*values: int) -> tuple[int, bytes]:
    return 4, struct.pack(f"<{len(values)}I", *values)


def text(value: str) -> tuple[int, bytes]:
    return 2, value.encode() + b"\0"


def tiff_of(*directories: Entries, inner: Entries | None = None, head: bytes = b"II*\0", gap: bytes = b"") -> bytes:
    """A little-endian TIFF of `directories` one after the other; `inner` lies below the first of them."""
    big = head == b"II+\0"
    word, count, head = ("<Q", "<Q", head + b"\x08\0\0\0") if big else ("<I", "<H", head)
    width = struct.calcsize(word)
    body = bytearray(head + bytes(width) + gap)
    link = len(head)
    chain = list(directories)
    if inner is not None:
        chain[0] = {**chain[0], 330: (16, bytes(8)) if big else long(0)}
    for one in [*chain, *([inner] if inner is not None else [])]:
        struct.pack_into(word, body, link, len(body))
        at = len(body)
        body += struct.pack(count, len(one)) + bytes(len(one) * (4 + 2 * width) + width)
        for row, (tag, (kind, value)) in enumerate(sorted(one.items())):
            place = at + struct.calcsize(count) + row * (4 + 2 * width)
            struct.pack_into("<HH", body, place, tag, kind)
            struct.pack_into(word, body, place + 4, len(value) // {2: 1, 3: 2, 4: 4, 16: 8}[kind])
            if len(value) > width:
                struct.pack_into(word, body, place + 4 + width, len(body))
                body += value
            else:
                body[place + 4 + width : place + 4 + width + len(value)] = value
        link = at + struct.calcsize(count) + len(one) * (4 + 2 * width)
        if inner is not None and one is chain[-1]:
            row = sorted(chain[0]).index(330)
            first = len(head) + width + len(gap)
            link = first + struct.calcsize(count) + row * (4 + 2 * width) + 4 + width
    return bytes(body)


def preview(side: int = 16, *, reduced: bool = True, make: str = "") -> Entries:
    """A directory of a small RGB picture, whose pixels are wherever."""
    made = {271: text(make)} if make else {}
    return {
        254: long(int(reduced)), 256: long(side), 257: long(side), 258: short(8, 8, 8), 259: short(1), 262: short(2),
        273: long(8), 277: short(3), 278: long(side), 279: long(3 * side * side), **made,
    }  # fmt: skip


SENSOR: Entries = {254: long(0), 256: long(6000), 257: long(4000), 259: short(34713), 262: short(32803)}
PIXELS = bytes(3 * 16 * 16)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (tiff_of(preview(), head=b"II*\0", gap=b"CR\x02\0" + PIXELS), "Canon CR2"),
        (tiff_of(preview(make="NIKON CORPORATION"), inner=SENSOR, gap=PIXELS), "camera raw of NIKON CORPORATION"),
        (tiff_of(preview(make="SONY"), inner=SENSOR | {259: short(32767)}, gap=PIXELS), "camera raw of SONY"),
        (tiff_of(preview(make="PENTAX") | {259: short(65535), 262: short(32803)}, gap=PIXELS), "camera raw of PENTAX"),
        (tiff_of(preview() | {50706: (2, b"\x01\x04\0\0")}, inner=SENSOR, gap=PIXELS), "DNG"),
        (tiff_of(preview(make="Hasselblad"), preview(4000, reduced=False), gap=PIXELS), "camera raw of Hasselblad"),
        (tiff_of(preview(), preview(4000, reduced=False), gap=PIXELS), "TIFF that begins with its preview"),
        (tiff_of(preview(make="KODAK"), inner=SENSOR, head=b"II+\0", gap=PIXELS), "camera raw of KODAK"),
    ],
)
def test_a_raw_file_is_not_its_preview(data: bytes, name: str) -> None:
    with pytest.raises(codec.ImageError, match="unsupported") as caught:
        codec.decode(data)
    assert caught.value.format == name
    assert "raw converter" in str(caught.value)


def test_a_tiff_whose_first_page_is_the_picture_is_read() -> None:
    """Thumbnails behind the picture, and pages of other sizes, are no signs of a camera."""
    alone = tiff_of(preview(reduced=False, make="EPSON"), preview(8), gap=PIXELS)
    pages = tiff_of(preview(reduced=False), preview(400, reduced=False), gap=PIXELS)
    pyramid = tiff_of(preview(reduced=False), inner=preview(8), gap=PIXELS)
    for data in (alone, pages, pyramid):
        assert codec.decode(data).shape == (16, 16, 3)


def test_bigtiff_is_read() -> None:
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    plain = {**preview(reduced=False), 273: long(24)}
    assert (codec.decode(tiff_of(plain, head=b"II+\0", gap=bytes(8) + pixels.tobytes())) == pixels).all()


def test_directories_in_a_circle_end() -> None:
    data = bytearray(tiff_of(preview(), gap=PIXELS))
    struct.pack_into("<I", data, len(data) - 4 - 6, 8 + len(PIXELS))  # before the values that did not fit: the next one
    assert len(list(islice(tiff.directories(bytes(data)), 1000))) == 1000
    assert tiff.raw(bytes(data)) is None


def saved(kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (32, 32)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL"),
        (saved("JPEG2000"), "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"8BPS\0\x02" + bytes(6), "Photoshop PSB"),
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "Canon CR3"),
        (b"FUJIFILMCCD-RAW 0201", "Fujifilm RAF"),
        (b"IIU\0\x18\0\0\0", "Panasonic RW2"),
        (b"IIRO\x08\0\0\0", "Olympus ORF"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="x">', "SVG"),
        (b"<svg>", "SVG"),
        (saved("ICO"), "Windows icon"),
        (saved("PPM"), "Netpbm"),
        (saved("PCX"), "PCX"),
        (saved("SGI"), "SGI"),
        (saved("DDS"), "DirectDraw surface"),
        (saved("TGA"), "Targa"),
        (b"\xff\xd8\xff\xf7\0\x0b\x08", "JPEG-LS"),
    ],
)
def test_known_formats_are_refused_by_name(data: bytes, name: str) -> None:
    assert unread.identify(data) is not None
    with pytest.raises(codec.ImageError) as caught:
        codec.verify(data)
    assert (caught.value.reason, caught.value.format) == ("unsupported", name)
    assert caught.value.advice is not None and caught.value.advice in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html><svg></svg>",
        b"<html><body><svg>",
        b"<!--" * 1000,
        b"P3 is a place",
        b"\0\0\x01\xba\x44",  # an MPEG program stream
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
        b"PK\x03\x04",
        b"\x7fELF",
        "ユーザー".encode("utf-16"),
    ],
)
def test_what_is_no_picture_has_no_name(data: bytes) -> None:
    assert unread.identify(data) is None
    with pytest.raises(codec.ImageError, match="not_image"):
        codec.verify(data)


def test_no_suffix_is_both_read_and_not() -> None:
    assert not formats.SUFFIXES & unread.SUFFIXES
    assert {".cr2", ".nef", ".arw", ".dng", ".jxl", ".jp2", ".psd", ".exr"} <= unread.SUFFIXES
