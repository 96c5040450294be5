"""Rows of crops.parquet: what is known of an image and of each of its faces, and back from a row to the face."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.crop import storage
from curate.pipeline.faces import person_mask, placed
from curate.pipeline.faces.alignment import Cut
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.faces.detectors import Face, Parts
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.tables import manifest
from curate.pipeline.tables.schema import POINTS

Row = dict[str, Any]

_PARTS = "left_eye right_eye mouth nose chin".split()  # of a drawn face
FACE_COLUMNS = (
    "face_index box score scores agreement angle landmarks unrest second_score".split() + _PARTS
)  # that `detected_face` reads


class CropInput(NamedTuple):
    """An image to cut."""

    image_id: str
    path: str
    domain: str
    license: str


def image_row(item: CropInput, reason: str, rules: CropRules, align: str, faces: int = 0) -> Row:
    """What is known of an image without any of its faces; `align` is how its faces would be aligned."""
    return {
        "crop_id": _hashed(item.domain, item.image_id, "no face"),
        "image_id": item.image_id,
        "source_path": item.path,
        "domain": item.domain,
        "license": item.license,
        "detector": rules.detector if align != "none" else "none",
        "align": align,
        "framing": rules.framing,
        "faces": faces,
        "face_index": -1,
        "status": manifest.ACCEPTED if reason == manifest.OK else manifest.REJECTED,
        "reason": reason,
    }


def face_row(item: CropInput, cut: Cut, rules: CropRules, align: str, faces: int) -> Row:
    """The row of one face; its path is there when it is accepted."""
    row = image_row(item, cut.reason, rules, align, faces)
    row |= {**cut.measures, "crop_id": crop_id(item, cut.detected, rules, align), "face_index": cut.index}
    row |= {"affine": cut.affine.ravel(), "is_grey": bool(cut.measures["is_grey"])}
    if cut.reason == manifest.OK:
        row["path"] = path(item.domain, row["crop_id"])
    if cut.detected:
        face, points = cut.detected.face, cut.detected.landmarks
        if cut.detected.placed:
            row["detector"] = placed.DETECTOR
        row |= {"box": face.box, "scores": face.scores, "angle": face.angle}
        row["landmarks"] = None if points is None else points.ravel()
        row |= cut.colours
        if face.parts:
            row |= zip(_PARTS, face.parts, strict=True)
    return row


def path(domain: str, crop: str) -> str:
    """Where the picture of the crop_id `crop` stands, below the root."""
    return f"{storage.folder_of(domain)}/{crop[:2]}/{crop}.png"


def paths(domain: str, crops: pa.ChunkedArray) -> pa.Array:
    """The same for every crop_id of a column."""
    folder, ends = f"{storage.folder_of(domain)}/", pc.utf8_slice_codeunits(crops, 0, 2)
    return pc.binary_join_element_wise(folder, ends, "/", crops, ".png", "").combine_chunks()


def detected_face(row: Mapping[str, Any]) -> DetectedFace:
    """The face of a row, as detection left it."""
    points = row["landmarks"]
    parts = None
    if row["chin"] is not None:
        parts = Parts.of([value for name in _PARTS for value in row[name]])
    face = Face(Box(*row["box"]), row["score"], tuple(row["scores"]), row["agreement"], row["angle"], parts)
    if points is None:
        return DetectedFace(face)
    return DetectedFace(face, np.reshape(np.array(points, np.float64), (POINTS, 2)), row["unrest"], row["second_score"])


def crop_id(item: CropInput, detected: DetectedFace | None, rules: CropRules, align: str) -> str:
    """Names a crop by what it shows: image, face and framing. Thresholds don't change it, so decisions stay valid."""
    box = [round(value, 1) for value in detected.face.box] if detected else []
    frame: list[object] = [rules.framing, rules.scale, rules.shift_y] if detected else []
    if rules.background != person_mask.KEEP:
        frame.append(rules.background)
    if align in {"box", "anime"}:
        frame += [rules.margin, rules.rotate]
    if align == "ffhq" and rules.landmarks != "dlib68":
        frame.append(rules.landmarks)  # the same box is framed by other points; ids of before there was a choice stay
    detector = rules.detector if detected else "none"
    if detected and detected.placed:
        detector = placed.DETECTOR
        box += [round(value, 1) for value in detected.placed]
    return _hashed(item.domain, item.image_id, detector, align, rules.size, *frame, *box)


def _hashed(*values: object) -> str:
    return hashlib.sha256("\0".join(map(str, values)).encode()).hexdigest()[:32]


def read(root: Path) -> pa.Table:
    """CropInput's columns of every image that scrape accepted and that has no role, each once, by domain and image.

    Raises TableError for images.parquet.
    """
    data = manifest.accepted(manifest.read(manifest.IMAGES, root, [*CropInput._fields, "role", "status"]))
    data = manifest.with_photos(data.filter(pc.is_null(data["role"])), root).select(CropInput._fields)
    data = data.sort_by([(name, "ascending") for name in ("domain", "image_id", "path", "license")]).combine_chunks()
    own = key(data)
    return data.filter(pa.concat_arrays([pa.array([True]), pc.not_equal(own[1:], own[:-1])])) if len(own) else data


def key(table: pa.Table) -> pa.Array:
    """What names the image of each row: its domain and image_id."""
    return pc.binary_join_element_wise(table["domain"], table["image_id"], "\0").combine_chunks()


def among(table: pa.Table, others: pa.Table) -> pa.Array:
    """Whether the image of each row of `table` is that of a row of `others`."""
    return pc.is_in(key(table), value_set=key(others))


def items(table: pa.Table) -> tuple[CropInput, ...]:
    """The rows of `table`, which must be few."""
    return tuple(CropInput(**row) for row in table.select(CropInput._fields).to_pylist())
