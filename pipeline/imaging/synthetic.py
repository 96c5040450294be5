"""The mark of pictures that a trained model painted in: an XMP packet in the words of IPTC's Photo Metadata."""

from __future__ import annotations

import struct
import zlib
from xml.sax.saxutils import quoteattr

# IPTC's word for a photo into which a trained model painted.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
# And for a picture that it made from nothing.
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_PNG_HEADER = 33  # bytes of a PNG up to the end of its first chunk


def xmp(system: str = "", version: str = "", source_type: str = SOURCE_TYPE) -> bytes:
    """The packet that says so, and which `system` in which `version` painted, where it is said; equal words, equal
    bytes."""
    more = {"AISystemUsed": f"curate {system}".strip(), "AISystemVersionUsed": version}
    told = "".join(f" Iptc4xmpExt:{name}={_quoted(value)}" for name, value in more.items() if value)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmp:CreatorTool="curate"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type}"{told}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode("utf-8", "replace")


def marked(picture: bytes, packet: bytes) -> bytes:
    """`picture`, a PNG, JPEG or GIF without XMP, with `packet` in it; its pixels stay bit for bit."""
    if picture.startswith(b"\x89PNG"):
        chunk = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
        return picture[:_PNG_HEADER] + chunk + picture[_PNG_HEADER:]
    if picture.startswith(b"\xff\xd8"):
        body = b"http://ns.adobe.com/xap/1.0/\0" + packet
        start = 2 if picture[2:4] != b"\xff\xe0" else 4 + int.from_bytes(picture[4:6], "big")  # JFIF wants to be first
        return picture[:start] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + picture[start:]
    assert picture.startswith(b"GIF8"), picture[:8]
    # After the packet come bytes that lead a reader of blocks, wherever in it he is, to its end (XMP, part 3).
    magic = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return picture[:-1] + b"\x21\xff\x0bXMP DataXMP" + packet + magic + picture[-1:]


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _quoted(text: str) -> str:
    """`text` as an attribute's value, without what XML can't hold."""
    return quoteattr("".join(c if c.isprintable() else "?" for c in text.encode("utf-8", "replace").decode()))
