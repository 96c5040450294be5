"""The formats that are read, told by their leading bytes: never by a file's name, nor by what a server claims."""

from __future__ import annotations

from enum import StrEnum

_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


class Format(StrEnum):
    """A raster format that is recognised by its bytes; the value is the file name extension."""

    JPEG = "jpg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    BMP = "bmp"
    TIFF = "tif"
    AVIF = "avif"
    HEIC = "heic"


SUFFIXES = frozenset(".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .avif .heic .heif".split())


def sniff(head: bytes) -> Format | None:
    """The format that the leading bytes (32 are enough) belong to, or None for anything else."""
    if head.startswith(b"\xff\xd8\xff") and head[3:4] != b"\xf7":  # that would be JPEG-LS
        return Format.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return Format.GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.WEBP
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:  # 42, or BigTIFF's 43
        return Format.TIFF
    if head[:2] == b"BM" and head[6:10] == bytes(4) and head[14:18] in _BMP_HEADERS:
        return Format.BMP
    if head[4:8] == b"ftyp":
        brands = {head[i : i + 4] for i in range(8, min(len(head), 32), 4)}
        if brands & {b"avif", b"avis"}:
            return Format.AVIF
        if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"mif2", b"msf1"}:
            return Format.HEIC
    return None
