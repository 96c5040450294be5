"""Faces that persons have placed in photos: manifests/faces.jsonl, read and written here alone.

One JSON object per line, in the order in which they were placed:

    {"item": "4be1...", "points": [120.5, 88.0, 171.2, 90.1, 147.0, 140.3], "by": "ann", "when": "2026-01-02T03:04:05Z"}

`item` is an image_id. `points` are the left eye, the right eye (as seen in the photo) and the mouth, or `box` is x, y,
width and height: either in px of the upright photo. A face that lies where one was placed before takes its place. A
line without either takes back the last face that the same person placed in that photo; one that is placed twice in a
row is placed once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from curate.pipeline.tables import json_lines

FILE = "manifests/faces.jsonl"

_Word = Annotated[str, Meta(min_length=1)]
_Px = Annotated[float, Meta(ge=-100_000.0, le=100_000.0)]


class PlacedFace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a person says that a face is, or, with neither points nor box, that the last one was none."""

    item: _Word  # image_id
    points: tuple[_Px, _Px, _Px, _Px, _Px, _Px] | None = None  # x, y of left eye, right eye, mouth; index coordinates
    box: tuple[_Px, _Px, _Px, _Px] | None = None  # x, y, width, height; edge coordinates
    by: _Word
    when: str = ""  # UTC, ISO 8601

    def __post_init__(self) -> None:
        if self.points and self.box:
            raise ValueError("`points` or `box`, not both")
        if self.points and (self.points[:2] == self.points[2:4] or self.points[2:4] == self.points[4:]):
            raise ValueError("`points` are three different ones")
        if self.box and min(self.box[2:]) < 1:
            raise ValueError("`box` is 1 px wide and high at least")

    @property
    def numbers(self) -> tuple[float, ...]:
        """What names the place: none where it takes one back."""
        return self.points or self.box or ()


def read(root: Path, report: Callable[[str], object] | None = None) -> dict[str, tuple[PlacedFace, ...]]:
    """The faces that stand, by image_id, in the order in which they were placed; none without a file.

    `report` is called with a sentence about each line that is none, with its number. Raises CurateError for a file
    that can't be read.
    """
    found: dict[str, list[PlacedFace]] = {}
    for number, _, one in json_lines.read(root / FILE, _DECODER):
        if isinstance(one, PlacedFace):
            _add(found, one)
        elif one and report:
            report(f"{root / FILE}:{number}: places nothing: {one}: mend the line or delete it")
    return {image: tuple(faces) for image, faces in found.items() if faces}


def append(root: Path, placed: PlacedFace) -> None:
    """Adds a line to the file; it is on the disk when this returns. Raises CurateError for a disk that refuses.

    Where it fails, a face may yet stand there, which does no harm if it is placed again; a line that takes one back
    does not.
    """
    add = json_lines.append if placed.numbers else json_lines.append_whole
    add(root / FILE, [placed])


def _add(found: dict[str, list[PlacedFace]], one: PlacedFace) -> None:
    faces = found.setdefault(one.item, [])
    own = [at for at, face in enumerate(faces) if face.by == one.by]
    if own and one.numbers in ((), faces[own[-1]].numbers):
        del faces[own[-1]]
    if one.numbers:
        faces.append(one)


_DECODER = msgspec.json.Decoder(PlacedFace)
