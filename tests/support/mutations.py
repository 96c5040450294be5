"""Damage as hypothesis draws it: bits, bytes, lengths and counts, cuts, one file's end behind another's beginning."""

from __future__ import annotations

import io
import struct
import zipfile

from hypothesis import strategies as st

EXTREME = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@st.composite
def mutated(draw: st.DrawFn, wholes: list[bytes]) -> bytes:
    """One of `wholes` after one to four changes."""
    content = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(1, 4))):
        if not content:
            break
        at = draw(st.integers(0, len(content) - 1) | st.integers(0, min(200, len(content) - 1)))  # headers more often
        match draw(st.sampled_from(["bit", "bytes", "number", "cut", "cut out", "twice", "other"])):
            case "bit":
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "bytes":
                junk = draw(st.binary(min_size=1, max_size=8))
                content[at : at + len(junk)] = junk
            case "number":
                form = draw(st.sampled_from(["<B", "<H", ">H", "<I", ">I"]))
                number = draw(st.sampled_from(EXTREME)) & (256 ** struct.calcsize(form) - 1)
                content[at : at + struct.calcsize(form)] = struct.pack(form, number)
            case "cut":
                del content[at:]
            case "cut out":
                del content[at : at + draw(st.integers(1, 64))]
            case "twice":
                content[at:at] = content[at : at + draw(st.integers(1, 400))]
            case "other":
                other = draw(st.sampled_from(wholes))
                content[at:] = other[at:]
    return bytes(content)


@st.composite
def mutated_archive(draw: st.DrawFn, wholes: list[bytes]) -> bytes:
    """One of the archives `wholes`, sound itself, with one member that is not: no checksum keeps it from its reader."""
    whole = draw(st.sampled_from(wholes))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    members[name] = draw(mutated([members[name]]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()
