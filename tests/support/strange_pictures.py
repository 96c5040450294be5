"""Pictures, and shards of them, as a stranger may hand them over."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.strange_documents import damaged_bytes, written
from tests.support.strangers import TEXTS, Damage

_BLOCK = 512
_SIZES = (0, 1, -1, -_BLOCK, -2 * _BLOCK, -(2**62), _BLOCK, 8**11 - 1, 2**62)  # bytes, as a member's header has them
_KINDS = (b"1", b"2", b"3", b"5", b"6", b"g", b"x", b"L", b"K", b"S", b"V", b"\xff")


def damaged_picture(path: Path) -> Iterator[tuple[str, Damage]]:
    """Broken, and whole pictures of another size and kind."""
    whole = Image.open(path).convert("RGB")
    made = {
        "one pixel": whole.resize((1, 1)),
        "half as large": whole.resize((whole.width // 2, whole.height // 2)),
        "not square": whole.resize((whole.width, whole.height // 2)),
        "grey": whole.convert("L"),
        "of 16 bits": Image.fromarray(np.full((whole.height, whole.width), 40_000, np.uint16)),
        "see-through": Image.new("RGBA", whole.size),
        "a bomb": Image.new("L", (20_000, 20_000)),
    }
    for name, picture in made.items():
        yield name, partial(written, _saved(picture, "PNG"))
    yield "a JPEG", partial(written, _saved(whole, "JPEG"))
    yield from damaged_bytes(path)


def damaged_shard(path: Path) -> Iterator[tuple[str, Damage]]:
    """Each field of the first and the last member's header, other ways to write a tar file, and broken ones."""
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        members = [(member, whole[member.offset_data :][: member.size]) for member in tar]
    for which in (0, -1):
        at = members[which][0].offset
        said = f"member {which}"
        for size in _SIZES:
            yield f"{said}: {size} bytes", partial(written, _with_header(whole, at, 124, _number(size)))
        for kind in _KINDS:
            yield f"{said}: of kind {kind!r}", partial(written, _with_header(whole, at, 156, kind))
        for name in (text if isinstance(text, bytes) else text.encode() for text in TEXTS):
            yield (
                f"{said}: called {name[:24]!r}",
                partial(written, _with_header(whole, at, 0, name[:100].ljust(100, b"\0"))),
            )
        yield f"{said}: no number", partial(written, _with_header(whole, at, 124, b"x" * 12))
    for name, form in {"pax": tarfile.PAX_FORMAT, "GNU": tarfile.GNU_FORMAT}.items():
        yield f"as {name} with long names", partial(written, _tar(members, form, "長" * 80))
    yield "each member twice", partial(written, _tar([*members, *members], tarfile.USTAR_FORMAT))
    yield "the other way round", partial(written, _tar(members[::-1], tarfile.USTAR_FORMAT))
    yield "no members", partial(written, bytes(2 * _BLOCK))
    yield "without an end", partial(written, whole.rstrip(b"\0"))
    yield "half a header more", partial(written, whole[: -2 * _BLOCK] + whole[:100])
    yield from damaged_bytes(path)


def _saved(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def _number(size: int) -> bytes:
    """As tar writes a number: in octal, else in base 256."""
    if 0 <= size < 8**11:
        return b"%011o\0" % size
    return bytes([0x80 if size >= 0 else 0xFF]) + size.to_bytes(11, "big", signed=True)


def _with_header(whole: bytes, at: int, place: int, data: bytes) -> bytes:
    """`whole` with `data` in the header at `at`, whose checksum is right."""
    header = bytearray(whole[at : at + _BLOCK])
    header[place : place + len(data)] = data
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return whole[:at] + bytes(header) + whole[at + _BLOCK :]


def _tar(members: list[tuple[tarfile.TarInfo, bytes]], form: int, prefix: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member, data in members:
            made = tarfile.TarInfo(prefix + member.name)
            made.size = len(data)
            tar.addfile(made, io.BytesIO(data))
    return buffer.getvalue()
