"""Photos whose faces are known: what detection is measured against."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import Box
from tests.support import drawn_people

LISTS = ("training_with_face_landmarks.xml", "testing_with_face_landmarks.xml")


class Photo(NamedTuple):
    """A picture, and its faces: boxes, or how many there are."""

    image: codec.RGB
    truth: list[Box] | int


def annotated(data: Path) -> list[Photo]:
    """dlib's examples/faces: four photos with 18 boxes in `data`, or in CURATE_DLIB_FACES all nine with 43."""
    return list(_annotated(Path(os.environ.get("CURATE_DLIB_FACES") or data / "dlib_faces")))


def _annotated(folder: Path) -> Iterator[Photo]:
    for file in filter(Path.is_file, (folder / name for name in LISTS)):
        for entry in ET.parse(file).iter("image"):
            boxes = [
                Box(*(float(box.attrib[key]) for key in ("left", "top", "width", "height")))
                for box in entry.iter("box")
            ]
            yield Photo(codec.decode((folder / entry.attrib["file"]).read_bytes()), boxes)


def drawn() -> list[Photo]:
    """The demo's people, whose faces are where they were drawn."""
    return [Photo(drawn_people.photo(seed), [Box(*drawn_people.person(seed).places().face)]) for seed in range(30)]


def portraits(data: Path) -> list[Photo]:
    """One person in each: a second box is false."""
    colour = sorted((data / "train/portraits_colour").rglob("*.jpg"))[4::10]
    paths = [*sorted((data / "portraits_gray").rglob("*.jpg"))[2::3], *colour]
    return [Photo(codec.decode(path.read_bytes()), 1) for path in paths]


def garments(data: Path) -> list[Photo]:
    """Nobody in any."""
    more = sorted((data / "train/clothing_cc0").rglob("*.jpg"))[5::20]
    paths = [*sorted((data / "clothing_cc0").rglob("*.jpg")), *more]
    return [Photo(codec.decode(path.read_bytes()), 0) for path in paths]
