"""Formats of pictures that are known and not read, so that a refused file is called by its name, with what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

from curate.pipeline.imaging import tiff

_CONVERT = "convert it to JPEG or PNG"
_DEVELOP = "develop it to JPEG or TIFF with a raw converter"
_RENDER = "render it to PNG, in the size that you need"

_HEAD = 4096  # bytes that are looked at
_FOOT = b"TRUEVISION-XFILE.\0"  # how a Targa file ends; nothing tells its beginning
_BOX = rb"\0\0\0\x0c%b\r\n\x87\n"  # the first box of the newer JPEGs
_MARKUP = rb"(?>(?:\xef\xbb\xbf)?\s*)(?>(?><\?xml[^>]*>|<!--.*?-->|<!DOCTYPE svg[^>\[]*(?:\[.*?\]\s*)?>)\s*)*<svg[\s>]"


class Unread(NamedTuple):
    """One such format."""

    name: str
    advice: str  # what to do with a file
    suffixes: str
    pattern: bytes = rb"(?!)"  # how its files begin; without, something else tells them


FORMATS = (
    Unread("JPEG XL", _CONVERT, ".jxl", _BOX % b"JXL " + rb"|\xff\x0a"),
    Unread("JPEG 2000", _CONVERT, ".jp2 .j2k .j2c .jpc .jpx .jpf .jpm", _BOX % rb"jP\x20\x20" + rb"|\xff\x4f\xff\x51"),
    Unread("JPEG XS", _CONVERT, ".jxs", _BOX % b"JXS " + rb"|\xff\x10\xff\x50"),
    Unread("JPEG XR", _CONVERT, ".jxr .wdp .hdp", rb"II\xbc\x01"),
    Unread("JPEG-LS", _CONVERT, ".jls", rb"\xff\xd8\xff\xf7"),
    Unread("Photoshop PSD", _CONVERT, ".psd", rb"8BPS\0\x01"),
    Unread("Photoshop PSB", _CONVERT, ".psb", rb"8BPS\0\x02"),
    Unread("GIMP XCF", _CONVERT, ".xcf", rb"gimp xcf"),
    Unread("OpenEXR", _CONVERT, ".exr", rb"\x76\x2f\x31\x01"),
    Unread("Radiance HDR", _CONVERT, ".hdr", rb"#\?(RADIANCE|RGBE)"),
    Unread("Canon CR3", _DEVELOP, ".cr3", rb".{4}ftypcrx "),
    Unread("Canon CRW", _DEVELOP, ".crw", rb"(II|MM).{4}HEAPCCDR"),
    Unread("Olympus ORF", _DEVELOP, ".orf", rb"IIR[OS]|MMOR"),
    Unread("Panasonic RW2", _DEVELOP, ".rw2 .rwl", rb"IIU\0"),
    Unread("Fujifilm RAF", _DEVELOP, ".raf", rb"FUJIFILMCCD-RAW"),
    Unread("Sigma X3F", _DEVELOP, ".x3f", rb"FOVb"),
    Unread("Minolta MRW", _DEVELOP, ".mrw", rb"\0MRM"),
    Unread("PDF", _RENDER, ".pdf", rb"%PDF-"),
    Unread("PostScript", _RENDER, ".eps .ai", rb"%!PS|\xc5\xd0\xd3\xc6"),
    Unread("SVG", _RENDER, ".svg", _MARKUP),
    Unread("Windows metafile", _RENDER, ".wmf .emf", rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF"),
    Unread("Windows icon", _CONVERT, ".ico .cur", rb"\0\0[\1\2]\0[^\0]\0.{3}\0"),
    Unread("Apple icon", _CONVERT, ".icns", rb"icns\0"),
    Unread("DirectDraw surface", _CONVERT, ".dds", rb"DDS \x7c\0\0\0"),
    Unread("MNG", _CONVERT, ".mng .jng", rb"\x8aMNG\r\n|\x8bJNG\r\n"),
    Unread("QOI", _CONVERT, ".qoi", rb"qoif"),
    Unread("FLIF", _CONVERT, ".flif", rb"FLIF"),
    Unread("BPG", _CONVERT, ".bpg", rb"BPG\xfb"),
    Unread("DjVu", _CONVERT, ".djvu .djv", rb"AT&TFORM"),
    Unread("FITS", _CONVERT, ".fits", rb"SIMPLE  ="),
    Unread("DICOM", _CONVERT, ".dcm", rb".{128}DICM"),
    Unread("SGI", _CONVERT, ".sgi", rb"\x01\xda[\0\1][\1\2]\0[\1-\3]"),
    Unread("Sun raster", _CONVERT, ".ras", rb"\x59\xa6\x6a\x95"),
    Unread("Netpbm", _CONVERT, ".pbm .pgm .ppm .pnm .pam .pfm", rb"P[1-6]\s+(#|\d)|P7\n[A-Z#]|P[Ff]\n\d"),
    Unread("PCX", _CONVERT, ".pcx", rb"\x0a[\0-\5]\x01[\1\2\4\x08].{60}\0"),
    Unread("Targa", _CONVERT, ".tga"),
)  # fmt: skip
_BEGINNINGS = tuple((one, re.compile(one.pattern, re.DOTALL)) for one in FORMATS)

# Cameras' raw formats that are TIFFs: their contents tell them, in `tiff`.
_RAW = ".cr2 .nef .nrw .arw .srf .sr2 .dng .pef .srw .3fr .fff .iiq .mef .erf .dcr .kdc"
SUFFIXES = frozenset(" ".join((_RAW, *(one.suffixes for one in FORMATS))).split())


def identify(data: bytes) -> tuple[str, str] | None:
    """The name of the unread format that `data` are in, and what to do with such a file; None for anything else.

    `data` is the whole file; its beginning is enough for most.
    """
    if data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return (name, _DEVELOP) if (name := tiff.raw(data)) is not None else None
    head = data[:_HEAD]
    for one, pattern in _BEGINNINGS:
        if pattern.match(head):
            return one.name, one.advice
    return ("Targa", _CONVERT) if data.endswith(_FOOT) else None
