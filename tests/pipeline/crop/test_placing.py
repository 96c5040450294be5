"""Faces that a person has placed: what is cut, what else is opened, and that taking one back leaves no trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces import placed
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.ffhq import eyes, ffhq_quad, mouth
from curate.pipeline.imaging import codec, geometry
from curate.pipeline.tables import manifest, placements
from curate.pipeline.tables.placements import PlacedFace
from tests.pipeline.crop.test_stage import people, rows
from tests.support import drawn_people

INLINE = Engine(kind="inline", batch=2)
SECTION = Crop(size=64)
POINTS = (100.0, 90.0, 150.0, 96.0, 122.0, 150.0)


def world(root: Path) -> dict[int, str]:
    """Two portraits and a landscape; their image_ids."""
    drawn_people.table(root, {"long": [*people(2), drawn_people.png(drawn_people.landscape(1))]})
    return {row["rank"]: row["image_id"] for row in manifest.read(manifest.IMAGES, root).to_pylist()}


def place(root: Path, image: str, **where: Any) -> None:
    placements.append(root, PlacedFace(item=image, by="ann", **where))


def table(root: Path) -> bytes:
    return manifest.CROPS.path(root).read_bytes()


def files(root: Path) -> dict[str, bytes]:
    folder = root / "processed/crops"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_three_points_are_where_the_eyes_and_the_mouth_of_the_landmarks_are() -> None:
    points = placed.landmarks(POINTS)
    np.testing.assert_allclose([*eyes(points), mouth(points)], np.reshape(POINTS, (3, 2)), atol=1e-4)
    face = placed.face(POINTS, CropRules(detector="animeface"))
    assert face.parts and face.parts.left_eye.centre == pytest.approx(POINTS[:2], abs=1e-3)
    assert geometry.overlap(face.box, geometry.Box(48, 34, 151, 151)) > 0.9


def test_a_missed_face_is_cut_and_no_other_photo_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = world(tmp_path)
    assert crop.run(SECTION, tmp_path, engine=INLINE).reasons == {"no_face": 1}
    before, files_before = table(tmp_path), files(tmp_path)
    place(tmp_path, images[2], points=POINTS)
    opened = []
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda data: opened.append(1) or decode(data))
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 3
    assert len(opened) == 1
    (row,) = [row for row in rows(tmp_path) if row["detector"] == placed.DETECTOR]
    assert (row["image_id"], row["reason"], row["faces"]) == (images[2], "ok", 1)
    quad = ffhq_quad(np.reshape(row["landmarks"], (68, 2)).astype(float))
    np.testing.assert_allclose(np.reshape(row["affine"], (2, 3)), geometry.quad_affine(quad, 64), atol=1e-3)
    assert (tmp_path / row["path"]).is_file() and row["score"] is None and row["unrest"] is None
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 3 and len(opened) == 1, "it holds"
    place(tmp_path, images[2])
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 2
    rows_alone = manifest.read(manifest.CROPS, tmp_path)
    assert files(tmp_path) == files_before
    assert rows_alone.equals(_rows_of(before, tmp_path))


def _rows_of(data: bytes, root: Path) -> Any:
    other = root / "other"
    manifest.CROPS.path(other).parent.mkdir(parents=True)
    manifest.CROPS.path(other).write_bytes(data)
    return manifest.read(manifest.CROPS, other)


def test_a_wrong_face_gives_way_and_a_whole_run_says_the_same(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    images = world(one)
    crop.run(SECTION, one, engine=INLINE)
    seen = {row["image_id"]: row for row in rows(one)}
    left, right = eyes(np.reshape(seen[images[0]]["landmarks"], (68, 2)).astype(float))
    below = mouth(np.reshape(seen[images[0]]["landmarks"], (68, 2)).astype(float))
    shifted = tuple(float(value) + 3.0 for value in (*left, *right, *below))
    box = tuple(float(value) for value in seen[images[1]]["box"])
    world(other)
    for root in (one, other):
        place(root, images[0], points=shifted)
        place(root, images[1], box=(5.0, 5.0, 50.0, 50.0))  # beside the one that was found
        place(root, images[2], box=box)
        crop.run(SECTION, root, engine=INLINE)
    assert manifest.read(manifest.CROPS, one).equals(manifest.read(manifest.CROPS, other))
    assert files(one) == files(other)
    found = [(row["image_id"], row["detector"], row["reason"]) for row in rows(one)]
    assert (images[0], placed.DETECTOR, "ok") in found and sum(image == images[0] for image, *_ in found) == 1
    assert {(images[1], placed.DETECTOR, "ok"), (images[1], "haar", "not_largest")} <= set(found)
    assert (images[2], placed.DETECTOR, "ok") in found


def test_a_placed_face_is_judged_by_its_size_and_its_crop(tmp_path: Path) -> None:
    images = world(tmp_path)
    place(tmp_path, images[2], points=(10.0, 10.0, 14.0, 10.0, 12.0, 15.0))
    assert crop.run(SECTION, tmp_path, engine=INLINE).reasons == {"too_small": 1}


def test_lines_that_place_nothing_are_told_and_the_last_face_wins(tmp_path: Path) -> None:
    image = "i" * 64
    path = tmp_path / placements.FILE
    path.parent.mkdir()
    path.write_text('{"item":"i","points":[1,2],"by":"ann"}\n{"item":"i","points":[1,1,1,1,2,2],"by":"ann"}\n')
    place(tmp_path, image, points=POINTS)
    place(tmp_path, image, box=(70.0, 70.0, 120.0, 120.0))
    placements.append(tmp_path, PlacedFace(item=image, by="bob"))  # takes back none of ann's
    told: list[str] = []
    faces = placements.read(tmp_path, told.append)[image]
    assert [one.split(":")[1] for one in told] == ["1", "2"]
    both = [
        placed.detected(face.numbers, np.zeros((9, 9, 3), np.uint8), None, CropRules(detector="anime"))
        for face in faces
    ]
    assert [face.placed for face in placed.joined((), both)] == [faces[1].numbers]
