"""Planted copies are found, the best is kept, and what is no copy stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import dedup, hashing, images, manifest, params
from pipeline.errors import CurateError, TableError
from tests.pipeline import faces

INLINE = params.Engine(kind="inline", batch=3)


def crop_row(root: Path, name: str, image: NDArray[np.uint8], **columns: Any) -> dict[str, Any]:
    """A row of crops.parquet called `name`, its picture written."""
    path = f"processed/crops/{name}.png"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(images.encode_png(image))
    return {
        "crop_id": name,
        "image_id": name,
        "source_path": f"raw/images/{name}.png",
        "domain": "long",
        "license": "cc0",
        "detector": "haar",
        "align": "ffhq",
        "framing": "ffhq",
        "faces": 1,
        "face_index": 0,
        "face_px": 100.0,
        "sharpness": 50.0,
        "padding": 0.0,
        "path": path,
        "status": manifest.ACCEPTED,
        "reason": manifest.OK,
    } | columns


def judged(root: Path, rows: list[dict[str, Any]], **section: Any) -> dict[str, dict[str, Any]]:
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, rows), root)
    dedup.run(params.Dedup(**section), root, engine=INLINE)
    return {row["crop_id"]: row for row in manifest.read(manifest.DEDUP, root).to_pylist()}


def changes(image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Copies as the web makes them."""
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return {
        "recompressed": images.decode(images.encode_jpeg(image, 40)),
        "resized": np.asarray(small, np.uint8),
        "brighter": np.clip(image.astype(int) + 25, 0, 255).astype(np.uint8),
    }


def test_planted_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    rows = []
    for seed in range(6):
        original = faces.photo(seed)
        rows.append(crop_row(tmp_path, f"{seed}-original", original, face_px=200.0))
        rows += [crop_row(tmp_path, f"{seed}-{name}", copy) for name, copy in changes(original).items()]
    found = judged(tmp_path, rows)
    assert len(found) == 24
    for name, row in found.items():
        original = f"{name[0]}-original"
        assert row["cluster_id"] == original
        assert row["duplicate_of"] == (None if name == original else original)
        assert row["status"] == ("accepted" if name == original else "rejected")
        assert row["phash"] == hashing.phash(images.decode((tmp_path / f"processed/crops/{name}.png").read_bytes()))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"face_px": 120.0, "sharpness": 1.0, "padding": 0.4}, {"face_px": 119.0, "sharpness": 99.0}),
        ({"sharpness": 60.0, "padding": 0.4}, {"sharpness": 59.0}),
        ({"padding": 0.1}, {"padding": 0.2}),
        ({"face_px": 90.0}, {"face_px": None, "sharpness": None}),
    ],
)
def test_the_best_copy_is_kept(tmp_path: Path, better: dict[str, Any], worse: dict[str, Any]) -> None:
    image = faces.photo(1)
    found = judged(tmp_path, [crop_row(tmp_path, "b", image, **better), crop_row(tmp_path, "a", image, **worse)])
    assert (found["a"]["duplicate_of"], found["b"]["duplicate_of"]) == ("b", None)


def test_equal_copies_are_told_apart_by_name(tmp_path: Path) -> None:
    image = faces.photo(1)
    found = judged(tmp_path, [crop_row(tmp_path, name, image) for name in ("c", "a", "b")])
    assert [found[name]["duplicate_of"] for name in "abc"] == [None, "a", "a"]


def test_a_picture_in_two_domains_is_kept_in_one(tmp_path: Path) -> None:
    image = faces.photo(2)
    rows = [
        crop_row(tmp_path, "a", image, domain="short"),
        crop_row(tmp_path, "b", image, domain="long", face_px=101.0),
    ]
    found = judged(tmp_path, rows)
    assert found["a"]["duplicate_of"] == "b"
    assert found["a"]["domain"] == "short"


def test_the_radius_is_a_setting_and_refused_crops_stay_out(tmp_path: Path) -> None:
    image = faces.photo(4)
    rows = [
        crop_row(tmp_path, "a", image),
        crop_row(tmp_path, "b", changes(image)["brighter"]),
        crop_row(tmp_path, "c", image, status="rejected", reason="blurry", path=None),
    ]
    apart = int(hashing.distance(hashing.phash(image), hashing.phash(changes(image)["brighter"])))
    assert set(judged(tmp_path, rows, radius=apart)) == {"a", "b"}
    assert judged(tmp_path, rows, radius=apart)["b"]["status"] == "rejected"
    if apart:
        assert judged(tmp_path, rows, radius=apart - 1)["b"]["status"] == "accepted"


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    rows = [crop_row(tmp_path, str(seed), faces.photo(seed % 5)) for seed in range(8)]
    written = []
    for engine in (INLINE, params.Engine(kind="process", workers=2, batch=2)):
        manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, rows), tmp_path)
        dedup.run(params.Dedup(), tmp_path, engine=engine)
        written.append(manifest.DEDUP.path(tmp_path).read_bytes())
    assert written[0] == written[1]


def test_no_crops_no_rows(tmp_path: Path) -> None:
    assert judged(tmp_path, []) == {}


def test_a_missing_table_and_a_missing_crop_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="crops"):
        dedup.run(params.Dedup(), tmp_path, engine=INLINE)
    rows = [crop_row(tmp_path, "a", faces.photo(1))]
    (tmp_path / rows[0]["path"]).unlink()
    with pytest.raises(CurateError, match=r"a\.png") as caught:
        judged(tmp_path, rows)
    assert "curate crop" in caught.value.hint
