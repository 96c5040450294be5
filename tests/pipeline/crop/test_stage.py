"""The crop stage on a small world: rows, files, resume, new images, broken ones, dying workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.pipeline.core import config
from curate.pipeline.core.errors import CurateError, DetectorLostError, ModelError, TableError, UsageError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import rows as rows_
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces import alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.faces.detectors import Face
from curate.pipeline.faces.face_search import View
from curate.pipeline.faces.ffhq import eyes, ffhq_quad
from curate.pipeline.imaging import codec, geometry, shards, warp
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.tables import manifest
from tests.support import drawn_people

INLINE = Engine(kind="inline", batch=2)
POOL = Engine(kind="process", workers=2, batch=3)
SECTION = Crop(size=64)


def people(count: int) -> list[bytes]:
    return [drawn_people.png(drawn_people.photo(seed)) for seed in range(count)]


def rows(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manifest.read(manifest.CROPS, root).to_pylist()
    return found


def test_each_row_says_how_its_crop_was_made(tmp_path: Path) -> None:
    drawn_people.table(tmp_path, {"long": people(5)})
    summary = crop.run(SECTION, tmp_path, engine=INLINE)
    assert (summary.rows, summary.accepted) == (5, 5)
    for row in rows(tmp_path):
        raw = codec.decode((tmp_path / row["source_path"]).read_bytes())
        affine = np.reshape(row["affine"], (2, 3))
        again = warp.cut(raw, affine, 64, warp.FFHQ_CLEARANCE)
        assert np.array_equal(codec.decode((tmp_path / row["path"]).read_bytes()), again)
        quad = ffhq_quad(np.reshape(row["landmarks"], (68, 2)).astype(float))
        np.testing.assert_allclose(affine, geometry.quad_affine(quad, 64), atol=1e-3)
        assert row["face_px"] == pytest.approx(np.sqrt(row["box"][2] * row["box"][3]))
        assert row["path"] == f"processed/crops/long/{row['crop_id'][:2]}/{row['crop_id']}.png"
        assert row["license"] == "cc0" and row["detector"] == "haar" and row["align"] == "ffhq"


def test_broken_and_empty_images_keep_a_row_with_their_reason(tmp_path: Path) -> None:
    whole, gone = people(2)
    drawn_people.table(
        tmp_path,
        {
            "long": [
                whole,
                gone,
                drawn_people.png(drawn_people.landscape(1)),
                drawn_people.png(drawn_people.landscape(2)),
            ]
        },
    )
    table = manifest.read(manifest.IMAGES, tmp_path)
    paths = {row["rank"]: tmp_path / row["path"] for row in table.to_pylist()}
    paths[1].unlink()
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    summary = crop.run(SECTION, tmp_path, engine=INLINE)
    assert summary.accepted == 1
    assert summary.reasons == {"changed": 1, "missing_file": 1, "no_face": 1}
    paths[1].write_bytes(gone)
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 2


def test_a_photo_with_a_flipped_bit_or_edited_is_a_reason_until_it_is_back(tmp_path: Path) -> None:
    photos = people(2)
    drawn_people.table(tmp_path, {"long": photos})
    paths = [tmp_path / row["path"] for row in manifest.read(manifest.IMAGES, tmp_path).to_pylist()]
    kept = [path.read_bytes() for path in paths]
    flipped = bytearray(kept[0])
    flipped[len(flipped) // 2] ^= 1
    paths[0].write_bytes(flipped)
    paths[1].write_bytes(codec.encode_png(255 - codec.decode(kept[1])))
    assert crop.run(SECTION, tmp_path, engine=INLINE).reasons == {"changed": 2}
    for path, data in zip(paths, kept, strict=True):
        path.write_bytes(data)
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 2


def test_large_photos_are_looked_at_by_a_preview_and_decoded_whole_only_for_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enlarged(image: codec.RGB) -> bytes:
        return codec.encode_jpeg(np.repeat(np.repeat(image, 8, axis=0), 8, axis=1))

    drawn_people.table(tmp_path, {"long": [enlarged(drawn_people.photo(3)), enlarged(drawn_people.landscape(1))]})
    whole = []
    decode = codec.decode
    monkeypatch.setattr(codec, "decode", lambda data: whole.append(1) or decode(data))
    summary = crop.run(Crop(size=64, detect_side=240), tmp_path, engine=INLINE)  # closer: 480 px, a quarter has 600
    assert (summary.accepted, summary.reasons) == (1, {"no_face": 1})
    assert len(whole) == 1
    (row,) = [row for row in rows(tmp_path) if row["reason"] == "ok"]
    drawn = np.array(drawn_people.person(3).places().eyes) * 8
    seen = np.array(eyes(np.reshape(row["landmarks"], (68, 2)).astype(float)))
    assert np.abs(seen - drawn).max() < 0.15 * np.hypot(*(drawn[1] - drawn[0]))


def test_pictures_of_products_are_left_to_pairs(tmp_path: Path) -> None:
    drawn_people.table(tmp_path, {"long": people(2)})
    table = manifest.read(manifest.IMAGES, tmp_path).to_pylist()
    table[0]["role"] = "human"
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, table), tmp_path)
    assert crop.run(SECTION, tmp_path, engine=INLINE).rows == 1


def test_any_engine_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, engine in (("inline", INLINE), ("pool", POOL)):
        drawn_people.table(tmp_path / name, {"long": people(7), "short": people(3)})
        crop.run(SECTION, tmp_path / name, engine=engine)
    assert drawn_people.contents(tmp_path / "inline") == drawn_people.contents(tmp_path / "pool")


class Counter(crop.CropWorker):
    """Counts the images that are opened."""

    opened = 0

    def __call__(self, batch: crop.Batch) -> tuple[str, list[crop.Row]]:
        Counter.opened += len(batch.items)
        return super().__call__(batch)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> type[Counter]:
    monkeypatch.setattr(crop, "CropWorker", Counter)
    Counter.opened = 0
    return Counter


def test_only_new_images_are_opened(tmp_path: Path, opened: type[Counter]) -> None:
    both = {"long": people(4), "short": people(3)}
    drawn_people.table(tmp_path / "grown", {"long": both["long"][:3]})
    crop.run(SECTION, tmp_path / "grown", engine=INLINE)
    drawn_people.table(tmp_path / "grown", both)
    crop.run(SECTION, tmp_path / "grown", engine=INLINE)
    assert opened.opened == 3 + 4
    crop.run(SECTION, tmp_path / "grown", engine=INLINE)
    assert opened.opened == 7
    drawn_people.table(tmp_path / "once", both)
    crop.run(SECTION, tmp_path / "once", engine=INLINE)
    assert drawn_people.contents(tmp_path / "grown") == drawn_people.contents(tmp_path / "once")


def test_the_disk_is_asked_for_each_crop_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_people.table(tmp_path, {"long": people(3), "short": people(2)})
    crop.run(SECTION, tmp_path, engine=INLINE)
    asked: list[str] = []
    stands = shards.stands
    monkeypatch.setattr(shards, "stands", lambda root, path: asked.append(path) or stands(root, path))
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert sorted(asked) == sorted(row["path"] for row in rows(tmp_path) if row["path"])


def test_another_threshold_for_one_domain_opens_nothing(tmp_path: Path, opened: type[Counter]) -> None:
    drawn_people.table(tmp_path, {"long": people(3), "short": people(2)})
    crop.run(SECTION, tmp_path, engine=INLINE)
    before = {row["crop_id"] for row in rows(tmp_path)}
    section = Crop(size=64, domains={"short": {"min_sharpness": 1e6}})
    assert crop.run(section, tmp_path, engine=INLINE).reasons == {"blurry": 2}
    assert opened.opened == 5
    assert {row["crop_id"] for row in rows(tmp_path)} == before  # a threshold renames nothing
    assert len(list((tmp_path / "processed").rglob("*.png"))) == 3


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each photo in which faces are looked for."""
    calls: list[int] = []
    find = alignment.Aligner.find_in

    def counted(self: alignment.Aligner, view: View) -> list[DetectedFace]:
        calls.append(1)
        return find(self, view)

    monkeypatch.setattr(alignment.Aligner, "find_in", counted)
    return calls


HARSH = {"min_sharpness": 600.0, "max_shape_error": 0.1, "faces": "single"}
OTHERS = [
    ({}, 0),  # every threshold let go of: refused crops come back
    ({"framing": "head", **HARSH}, 0),
    ({"size": 96, "scale": 1.3, "shift_y": 0.1}, 0),
    ({"align": "box", "rotate": 20.0}, 0),
    ({"min_neighbors": 2, **HARSH}, 5),  # another way of looking
]


@pytest.mark.parametrize(
    ("other", "looks"), OTHERS, ids=lambda value: "+".join(value) if isinstance(value, dict) else ""
)
def test_what_was_seen_is_not_looked_for_again(
    tmp_path: Path, other: dict[str, Any], looks: int, looked: list[int]
) -> None:
    pair = np.hstack([drawn_people.photo(3), drawn_people.photo(5)])
    world = {"long": [*people(3), drawn_people.png(pair), drawn_people.png(drawn_people.landscape(1))]}
    base: dict[str, Any] = {"size": 64, "faces": "all"}
    drawn_people.table(tmp_path / "again", world)
    before = crop.run(Crop(**base | HARSH), tmp_path / "again", engine=INLINE)
    assert before.accepted == 1
    assert set(before.reasons) == {"many_faces", "no_face", "implausible", "blurry"}
    looked.clear()
    section = Crop(**base | other)
    crop.run(section, tmp_path / "again", engine=INLINE)
    assert len(looked) == looks
    drawn_people.table(tmp_path / "once", world)
    crop.run(section, tmp_path / "once", engine=INLINE)
    assert drawn_people.contents(tmp_path / "again") == drawn_people.contents(tmp_path / "once")


def test_a_crop_that_was_deleted_is_cut_again_and_a_stray_one_swept(tmp_path: Path) -> None:
    drawn_people.table(tmp_path, {"long": people(3)})
    crop.run(SECTION, tmp_path, engine=INLINE)
    before = drawn_people.contents(tmp_path)
    (tmp_path / rows(tmp_path)[0]["path"]).unlink()
    (tmp_path / rows(tmp_path)[1]["path"]).write_bytes(b"")  # as after a power cut
    stray = tmp_path / "processed/crops/old/ab/abc.png"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"x")
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert drawn_people.contents(tmp_path) == before
    assert not stray.parent.exists()


def test_a_changed_licence_reaches_crops_that_are_not_cut_again(tmp_path: Path, opened: type[Counter]) -> None:
    drawn_people.table(tmp_path, {"long": people(2)})
    crop.run(SECTION, tmp_path, engine=INLINE)
    table = [row | {"license": "by"} for row in manifest.read(manifest.IMAGES, tmp_path).to_pylist()]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, table), tmp_path)
    crop.run(SECTION, tmp_path, engine=INLINE)
    assert {row["license"] for row in rows(tmp_path)} == {"by"}
    assert opened.opened == 2


class Mortal(crop.CropWorker):
    """Dies of the image that person(1) is in."""

    def __call__(self, batch: crop.Batch) -> tuple[str, list[crop.Row]]:
        for item in batch.items:
            if (self.root / item.path).read_bytes() == drawn_people.png(drawn_people.photo(1)):
                os._exit(9)
        return super().__call__(batch)


@pytest.mark.slow
def test_a_worker_that_dies_costs_one_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_people.table(tmp_path, {"long": people(4)})
    monkeypatch.setattr(crop, "CropWorker", Mortal)
    whole = Crop(size=64, align="none")  # workers that load no model start sooner
    summary = crop.run(whole, tmp_path, engine=POOL)
    assert (summary.accepted, summary.reasons) == (3, {"worker_died": 1})
    monkeypatch.undo()
    assert crop.run(whole, tmp_path, engine=INLINE).accepted == 4


KILLED = """
import json, sys
from pathlib import Path
from curate.pipeline.core.parallel import Engine
from curate.pipeline.crop import rows as rows_
from curate.pipeline.crop import stage as crop
from curate.pipeline.crop.config import Crop
from curate.pipeline.faces import alignment
if __name__ == "__main__":
    crop.run(Crop(size=64), Path(sys.argv[1]), engine=Engine(**json.loads(sys.argv[2])))
"""


def test_killed_at_any_moment_it_goes_on_where_it_stopped(tmp_path: Path, opened: type[Counter]) -> None:
    """With a pool; inline: tests/end_to_end/test_scale.py."""
    for root in (tmp_path / "killed", tmp_path / "once"):
        drawn_people.table(root, {"long": people(6), "short": people(4)})
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    parts = tmp_path / "killed/processed/crops/.parts"
    for wanted in (1, 2):
        command = [sys.executable, str(script), str(tmp_path / "killed"), json.dumps(config.as_dict(POOL))]
        with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(Path.cwd() / "src")}) as process:
            while process.poll() is None and len(list(parts.rglob("*.arrow"))) < wanted:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
    assert not manifest.exists(manifest.CROPS, tmp_path / "killed")
    crop.run(SECTION, tmp_path / "killed", engine=INLINE)
    assert opened.opened < 10
    crop.run(SECTION, tmp_path / "once", engine=INLINE)
    assert drawn_people.contents(tmp_path / "killed") == drawn_people.contents(tmp_path / "once")


def test_domains_of_any_name_get_a_folder(tmp_path: Path) -> None:
    names = ["ロングヘア", "../up", "a/b", "A b"]
    drawn_people.table(tmp_path, {name: people(1) for name in names})
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 4
    folders = {path.parent.parent for path in (tmp_path / "processed").rglob("*.png")}
    assert len(folders) == 4
    assert {folder.parent for folder in folders} == {tmp_path / "processed/crops"}
    assert tmp_path / "processed/crops/ロングヘア" in folders


@pytest.fixture
def no_cascade(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.pipeline.faces.model_files.requests.get", _refuse)


def _refuse(url: str, **_: object) -> None:
    import requests

    raise requests.ConnectionError(url)


@pytest.mark.usefixtures("no_cascade")
def test_a_domain_without_its_model_is_left_out_until_it_is_there(tmp_path: Path) -> None:
    drawn_people.table(tmp_path, {"anime": [drawn_people.png(drawn_people.drawing(1))], "long": people(1)})
    section = Crop(size=64, domains={"anime": {"detector": "anime"}})
    summary = crop.run(section, tmp_path, engine=INLINE)
    assert (summary.accepted, summary.reasons) == (1, {"no_model": 1})
    with pytest.raises(ModelError, match="lbpcascade"):
        crop.run(Crop(detector="anime"), tmp_path, engine=INLINE)


def test_bad_settings_and_tables_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"images\.parquet: not there yet"):
        crop.run(SECTION, tmp_path, engine=INLINE)
    drawn_people.table(tmp_path, {"long": people(1)})
    with pytest.raises(UsageError, match="did you mean 'haar'"):
        crop.run(Crop(detector="hear"), tmp_path, engine=INLINE)
    with pytest.raises(UsageError, match=r"crop\.domains\.long\.siz"):
        crop.run(Crop(domains={"long": {"siz": 3}}), tmp_path, engine=INLINE)
    (tmp_path / "processed").write_text("in the way")
    with pytest.raises(CurateError, match="processed"):
        crop.run(SECTION, tmp_path, engine=INLINE)


def test_a_detector_that_is_lost_on_a_picture_costs_its_row_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_people.table(tmp_path, {"long": people(3)})
    look, looked = alignment.Aligner.find_in, []

    def lost_once(self: alignment.Aligner, view: View) -> list[DetectedFace]:
        looked.append(view)
        if len(looked) == 2:
            raise DetectorLostError("its library was lost")
        return look(self, view)

    monkeypatch.setattr(alignment.Aligner, "find_in", lost_once)
    assert crop.run(SECTION, tmp_path, engine=INLINE).reasons == {"worker_died": 1}
    assert crop.run(SECTION, tmp_path, engine=INLINE).accepted == 3  # and is tried again by the next run
    assert len(looked) == 4


def test_other_landmarks_are_another_crop_of_the_same_box_and_old_names_stay() -> None:
    item = rows_.CropInput("i" * 64, "raw/x", "long", "cc0")
    face = DetectedFace(Face(Box(1, 2, 30, 30), 1.0))
    dlibs, meshs = CropRules(), CropRules(landmarks="mesh")
    assert rows_.crop_id(item, face, dlibs, "ffhq") != rows_.crop_id(item, face, meshs, "ffhq")
    assert rows_.crop_id(item, face, dlibs, "box") == rows_.crop_id(item, face, meshs, "box"), "framed by the box alone"
