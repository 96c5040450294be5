"""VITON-HD: what the readers of that layout make of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.core.errors import ModelError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.export import stage as export
from curate.pipeline.export.config import Export
from curate.pipeline.export.layouts import viton
from curate.pipeline.faces import agnostic_mask, person_mask
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.tables import manifest
from tests.support.tables import small_world

SIDE = 64


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_world(tmp_path)
    pairs.run(Pairs(size=SIDE, faces=False, val=0.0, test=0.99), tmp_path, engine=Engine(kind="inline"))
    monkeypatch.setattr(person_mask, "load", lambda: lambda image: np.ones(image.shape[:2], np.float32))
    return tmp_path


def run(root: Path, **more: Any) -> Path:
    export.run("viton-hd", Export(**more), root, root / "out")
    return root / "out"


def loader(folder: Path, *, paired: bool) -> list[dict[str, Image.Image]]:
    """What CatVTON's data set of tests opens: the list of its folder, and three pictures for each line."""
    found = []
    for line in (folder / "test_pairs_unpaired.txt").read_text().splitlines():
        person, cloth = line.strip().split(" ")
        mask = person.replace(".jpg", "_mask.png")
        places = {"image": person, "cloth": person if paired else cloth, "agnostic-mask": mask}
        found.append({kind: Image.open(folder / "test" / kind / name) for kind, name in places.items()})
    return found


def accepted(root: Path) -> dict[str, dict[str, Any]]:
    return {row["pair_id"]: row for row in manifest.accepted(manifest.read(manifest.PAIRS, root)).to_pylist()}


@pytest.mark.parametrize("paired", [True, False])
def test_catvton_opens_every_person_with_a_cloth_and_a_mask(world: Path, paired: bool) -> None:
    rows = accepted(world)
    tested = [row for row in rows.values() if row["split"] == "test"]
    found = loader(run(world), paired=paired)
    assert len(found) == len(tested) > 1
    for pictures in found:
        assert [(p.format, p.size) for p in pictures.values()] == [("JPEG", (48, 64))] * 2 + [("PNG", (48, 64))]
        row = rows[Path(pictures["image"].filename).stem]  # type: ignore[attr-defined]
        worn = rows[Path(pictures["cloth"].filename).stem]  # type: ignore[attr-defined]
        assert (row["cluster_id"] == worn["cluster_id"]) is paired
        seen = viton.upright(codec.decode((world / row["human_path"]).read_bytes())).astype(int)
        assert np.abs(np.asarray(pictures["image"], int) - seen).mean() < 4, "JPEG's own loss"


def test_lists_are_those_of_viton_hd_and_of_catvton(world: Path) -> None:
    out = run(world)
    named = {line.split()[0] for line in (out / "test_pairs_paired.txt").read_text().splitlines()}
    assert named == {path.name for path in (out / "test" / "image").iterdir()}
    assert (out / "test_pairs.txt").read_text() == (out / "test_pairs_unpaired.txt").read_text()
    if (out / "train").exists():
        assert (out / "train_pairs.txt").read_text() == (out / "train_pairs_paired.txt").read_text()
    assert (out / "ATTRIBUTION.csv").is_file()


def test_a_second_run_makes_nothing_again_and_size_is_the_height(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {path: path.stat().st_mtime_ns for path in run(world).rglob("*.jpg")}
    monkeypatch.setattr(export.export_set.ExportSet, "png", lambda *_: pytest.fail("made again"))
    assert {path: path.stat().st_mtime_ns for path in run(world).rglob("*.jpg")} == first
    monkeypatch.undo()
    monkeypatch.setattr(person_mask, "load", lambda: lambda image: np.ones(image.shape[:2], np.float32))
    assert {Image.open(path).size for path in run(world, size=128).rglob("*.jpg")} == {(96, 128)}


def test_a_missing_net_is_told_before_anything_is_written(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ModelError("no file", "curate models fetch selfie-segmentation")

    monkeypatch.setattr(person_mask, "load", missing)
    with pytest.raises(ModelError):
        run(world)
    assert not (world / "out").exists()


def test_a_picture_is_cut_where_nothing_is_lost_and_made_smaller_elsewhere() -> None:
    portrait = np.full((64, 64, 3), 255, np.uint8)
    portrait[:, 10:54] = 7
    assert np.array_equal(viton.upright(portrait), portrait[:, 8:56])
    landscape = np.full((64, 64, 3), 200, np.uint8)
    landscape[20:40] = 7
    made = viton.upright(landscape)
    assert made.shape == (64, 48, 3)
    assert (made[:8] == 200).all() and (made[30] == 7).all()


def test_a_cloths_mask_has_neither_specks_nor_pinholes_but_its_neckline() -> None:
    cloth = np.full((100, 75, 3), 250, np.uint8)
    cloth[20:80, 10:60] = 40
    cloth[20:35, 30:40] = 250
    clean = viton.cloth_mask(cloth)
    cloth[5, 5], cloth[60, 30] = 0, 250
    assert np.array_equal(viton.cloth_mask(cloth), clean)
    assert clean[50, 30] == 255 and clean[25, 35] == 0 and set(np.unique(clean)) == {0, 255}


def test_the_body_is_painted_anew_and_the_face_is_not() -> None:
    outline = np.zeros((100, 60), bool)
    outline[10:100, 20:40] = True
    mask = agnostic_mask.of_outline(outline, Box(25, 12, 10, 12))
    assert not mask[:24].any() and mask[30:70, 20:40].all() and not mask[76:].any()
    assert mask[40, 18] == 255 and mask[40, 10] == 0, "grown by two px"
    unseen = agnostic_mask.of_outline(outline, None)
    assert not unseen[:26].any() and unseen[40:85, 20:40].all()
    assert not agnostic_mask.of_outline(np.zeros((9, 9), bool), None).any()
