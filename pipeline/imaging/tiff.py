"""Walks the directories of a TIFF: is its first picture the picture, or the small preview of a camera's raw data?

Most cameras write TIFFs whose first directory is a thumbnail; the sensor's values lie in another one, which no decoder
here develops. Classic TIFF and BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import islice

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUBIFDS = 254, 256, 257, 259, 262, 271, 330
_CFA_PATTERN, _DNG_VERSION = 33422, 50706
_SENSOR = frozenset({32803, 34892})  # photometric: colour filter array, linear raw
# Compressions that only raw data have: Sony's, Epson's and others', Samsung's, Kodak's, Nikon's, Pentax'.
_RAW_COMPRESSIONS = frozenset({32767, 32769, 32770, 32772, 34713, 65000, 65535})
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}  # bytes a value, by type
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_DIRECTORIES = 64  # cameras write fewer than ten; a hostile file may make circles
_VALUES = 256  # of one entry, that are read

Directory = Mapping[int, bytes | tuple[int, ...]]  # by tag: text, or whole numbers


def raw(data: bytes) -> str | None:
    """The name of the camera's raw format in the TIFF `data`; None for a TIFF whose first picture is the picture."""
    if data[8:10] == b"CR":
        return "Canon CR2"
    if data[8:12] in {b"IIII", b"MMMM"}:
        return "Phase One IIQ"
    found = list(islice(directories(data), _DIRECTORIES))
    if not found:
        return None
    first, others = found[0], found[1:]
    if any(_DNG_VERSION in one for one in found):
        return "DNG"
    sensor = any(_PHOTOMETRIC in one and _number(one, _PHOTOMETRIC) in _SENSOR for one in found)
    sensor = sensor or any(_CFA_PATTERN in one or _number(one, _COMPRESSION) in _RAW_COMPRESSIONS for one in found)
    reduced = bool(_number(first, _SUBFILE) & 1) and any(_area(one) > _area(first) for one in others)
    if not sensor and not reduced:
        return None
    make = first.get(_MAKE)
    text = make.split(b"\0")[0].decode("latin-1").strip() if isinstance(make, bytes) else ""
    return f"camera raw of {text}" if text else "camera raw" if sensor else "TIFF that begins with its preview"


def directories(data: bytes) -> Iterator[Directory]:
    """The directories of a TIFF, each before those that it contains; as far as they can be read, circles included."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in {b"+\0", b"\0+"}
    start = _unpack(data, order + ("Q" if big else "I"), 8 if big else 4)
    waiting = [start] if start is not None else []
    while waiting:
        found = _directory(data, waiting.pop(0), order, big)
        if found is None:
            continue
        entries, after = found
        yield entries
        inner = entries.get(_SUBIFDS, ())
        waiting += [*(inner if isinstance(inner, tuple) else ()), *([after] if after else [])][:_DIRECTORIES]


def _directory(data: bytes, at: int, order: str, big: bool) -> tuple[Directory, int | None] | None:
    count = _unpack(data, order + ("Q" if big else "H"), at)
    if count is None or not 0 < count <= 0xFFFF:
        return None
    head, size, inline = (8, 20, 8) if big else (2, 12, 4)
    entries: dict[int, bytes | tuple[int, ...]] = {}
    for place in range(at + head, min(at + head + count * size, len(data) - size + 1), size):
        tag, kind = struct.unpack_from(order + "HH", data, place)
        length = _unpack(data, order + ("Q" if big else "I"), place + 4)
        if length is None or kind not in _SIZES or length > len(data):
            continue
        begin: int | None = place + size - inline
        if length * _SIZES[kind] > inline:
            begin = _unpack(data, order + ("Q" if big else "I"), place + size - inline)
        if begin is None or begin + length * _SIZES[kind] > len(data):
            continue
        if kind in {2, 7}:
            entries[tag] = data[begin : begin + min(length, _VALUES)]
        else:
            entries[tag] = struct.unpack_from(f"{order}{min(length, _VALUES)}{_CODES[kind]}", data, begin)
    return entries, _unpack(data, order + ("Q" if big else "I"), at + head + count * size)


def _unpack(data: bytes, code: str, at: int) -> int | None:
    try:
        return int(struct.unpack_from(code, data, at)[0])
    except (struct.error, OverflowError):  # beyond the file, and beyond any memory
        return None


def _number(entries: Directory, tag: int) -> int:
    value = entries.get(tag)
    return value[0] if isinstance(value, tuple) and value else 0


def _area(entries: Directory) -> int:
    return _number(entries, _WIDTH) * _number(entries, _HEIGHT)
