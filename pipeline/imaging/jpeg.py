"""Walks the segments of a JPEG: what its header says, and whether its end is there.

The fast decoder accepts a file that was cut short and fills the rest with grey, so completeness is established here,
from the structure alone (ITU-T T.81, annex B), in one pass at memory speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

SOI, EOI, SOS, APP1, APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
PROGRESSIVE = 0xC2  # the frame marker
_TASTE = 2048  # bytes of a scan: its first rows
_ROWS = 8  # px
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15; the others are DHT, JPG and DAC
_STANDALONE = frozenset({0x01, SOI, *range(0xD0, 0xD8)})
# Entropy-coded data end at the first marker that is neither a stuffed byte, a restart nor a fill byte.
_ENDS_SCAN = ~np.isin(np.arange(256), [0x00, *range(0xD0, 0xD8), 0xFF])
_BLOCK = 1 << 18  # bytes that are searched at once
# libjpeg writes at most 18 scans, of CMYK, and what searches for the smallest file some twenty; libtiff reads 100. An
# empty scan has a few hundred bytes, and costs a decoder a pass over all of the picture.
SCANS = 100
SCANNED = 2_000_000_000  # px of all scans together: 30 of the largest picture, some seconds

_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"


@dataclass(frozen=True)
class Jpeg:
    """A complete JPEG's header."""

    frame: int  # the SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, others exotic
    precision: int  # bits per sample
    width: int  # px as stored, before EXIF orientation
    height: int
    components: int
    at: int  # where the frame header's payload begins
    exif: bytes | None  # the TIFF structure of the first APP1
    icc: bytes | None
    scan: int  # where the first scan's entropy-coded data begin
    scans: int

    @property
    def plain(self) -> bool:
        """Whether every decoder agrees about it: 8-bit Huffman grey or three-component colour."""
        return self.frame <= 0xC2 and self.precision == 8 and self.components in {1, 3}


def beginning(data: bytes, header: Jpeg) -> bytes | None:
    """As much of a whole JPEG as can fail to decode, as a JPEG; None where that is all of it.

    In a single sequential scan that is everything before it: within, decoders take any damage for a warning. The frame
    is cut to its first rows, so that no time goes into those that are missing.
    """
    if header.frame == PROGRESSIVE or header.scans > 1:
        return None
    rows = min(header.height, _ROWS).to_bytes(2, "big")
    return b"".join((data[: header.at + 1], rows, data[header.at + 3 : header.scan + _TASTE], bytes((0xFF, EOI))))


def walk(data: bytes) -> Jpeg | None:
    """The header of a whole and regular JPEG, or None: cut short, damaged, or not one."""
    frame: tuple[int, int, int, int, int, int] | None = None
    exif: bytes | None = None
    profile: dict[int, bytes] = {}
    scans: list[int] = []
    try:
        for marker, start, end in _segments(data):
            if marker == EOI:
                break
            if marker in _FRAMES and frame is None:
                size = data[start : start + 6]
                frame = (marker, size[0], size[3] << 8 | size[4], size[1] << 8 | size[2], size[5], start)
            elif marker == APP1 and exif is None and data.startswith(_EXIF, start):
                exif = data[start + len(_EXIF) : end]
            elif marker == SOS:
                scans.append(end)
                if len(scans) > SCANS:
                    return None
            elif marker == APP2 and data.startswith(_ICC, start):
                at = start + len(_ICC)
                profile[data[at]] = data[at + 2 : end]
        else:
            return None
    except IndexError:
        return None
    if frame is None or not scans or 0 in frame[2:5]:
        return None
    icc = b"".join(profile[n] for n in sorted(profile)) or None
    return Jpeg(*frame, exif=exif, icc=icc, scan=scans[0], scans=len(scans))


def count_scans(data: bytes) -> int:
    """How often a decoder would begin a scan of `data`, a JPEG in whatever state: too many rather than too few, and
    not all of more than SCANS."""
    count = at = 0
    for marker, _, end in _segments(data):
        count, at = count + (marker == SOS), end
        if marker == EOI or count > SCANS:
            return count
    return count + data.count(bytes((0xFF, SOS)), at)  # where the structure breaks decoders look for the next marker


def is_costly(scans: int, pixels: int) -> bool:
    """Whether so many scans of so many px are none that an encoder writes."""
    return scans > SCANS or scans * pixels > SCANNED


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment's payload; ends early where the structure breaks, EOI otherwise last."""
    at = 0
    while at + 1 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == EOI:
            yield marker, at + 2, at + 2
            return
        elif marker in _STANDALONE:
            at += 2
        elif at + 3 >= len(data):
            return
        else:
            start, end = at + 4, at + 2 + (data[at + 2] << 8 | data[at + 3])
            if end < start or end > len(data):
                return
            yield marker, start, end
            at = end
            if marker == SOS:
                at = _end_of_scan(data, at)


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the first marker after the entropy-coded data at `at` stands; the end of `data` if there is none."""
    octets = np.frombuffer(data, np.uint8)
    while at + 1 < len(data):
        block = octets[at : at + _BLOCK + 1]
        markers = (block[:-1] == 0xFF).nonzero()[0]
        ends = markers[_ENDS_SCAN[block[markers + 1]]]
        if ends.size:
            return at + int(ends[0])
        at += _BLOCK
    return len(data)


def orientation(exif: bytes | None) -> int:
    """The EXIF orientation, 1..8; 1 when it is absent or unreadable."""
    if exif is None:
        return 1
    tags = Image.Exif()
    try:
        tags.load(b"Exif\0\0" + exif)
        value = tags.get(0x0112, 1)
    except Exception:  # metadata from strangers; Pillow's parser may raise anything, the picture is fine without
        return 1
    return value if value in range(1, 9) else 1
