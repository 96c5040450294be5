"""Planted copies are found, the best is kept, and what is no copy stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from curate.pipeline.core.errors import CurateError, TableError
from curate.pipeline.core.parallel import Engine
from curate.pipeline.dedup import stage as dedup
from curate.pipeline.dedup.config import Dedup
from curate.pipeline.hashing import phash
from curate.pipeline.imaging import codec
from curate.pipeline.tables import manifest
from curate.pipeline.tables.arrow import replace_column
from tests.support import drawn_people

INLINE = Engine(kind="inline", batch=3)


def crop_row(root: Path, name: str, image: NDArray[np.uint8], **columns: Any) -> dict[str, Any]:
    """A row of crops.parquet called `name`, its picture written."""
    path = f"processed/crops/{name}.png"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(codec.encode_png(image))
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
    dedup.run(Dedup(**section), root, engine=INLINE)
    return {row["crop_id"]: row for row in manifest.read(manifest.DEDUP, root).to_pylist()}


def changes(image: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Copies as the web makes them."""
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return {
        "recompressed": codec.decode(codec.encode_jpeg(image, 40)),
        "resized": np.asarray(small, np.uint8),
        "brighter": np.clip(image.astype(int) + 25, 0, 255).astype(np.uint8),
    }


def test_planted_copies_are_found_and_nothing_else(tmp_path: Path) -> None:
    rows = []
    for seed in range(6):
        original = drawn_people.photo(seed)
        rows.append(crop_row(tmp_path, f"{seed}-original", original, face_px=200.0))
        rows += [crop_row(tmp_path, f"{seed}-{name}", copy) for name, copy in changes(original).items()]
    found = judged(tmp_path, rows)
    assert len(found) == 24
    for name, row in found.items():
        original = f"{name[0]}-original"
        assert row["cluster_id"] == original
        assert row["duplicate_of"] == (None if name == original else original)
        assert row["status"] == ("accepted" if name == original else "rejected")
        assert row["phash"] == phash.phash(codec.decode((tmp_path / f"processed/crops/{name}.png").read_bytes()))


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
    image = drawn_people.photo(1)
    found = judged(tmp_path, [crop_row(tmp_path, "b", image, **better), crop_row(tmp_path, "a", image, **worse)])
    assert (found["a"]["duplicate_of"], found["b"]["duplicate_of"]) == ("b", None)


def test_equal_copies_are_told_apart_by_name(tmp_path: Path) -> None:
    image = drawn_people.photo(1)
    found = judged(tmp_path, [crop_row(tmp_path, name, image) for name in ("c", "a", "b")])
    assert [found[name]["duplicate_of"] for name in "abc"] == [None, "a", "a"]


def test_a_picture_in_two_domains_is_kept_in_one(tmp_path: Path) -> None:
    image = drawn_people.photo(2)
    rows = [
        crop_row(tmp_path, "a", image, domain="short"),
        crop_row(tmp_path, "b", image, domain="long", face_px=101.0),
    ]
    found = judged(tmp_path, rows)
    assert found["a"]["duplicate_of"] == "b"
    assert found["a"]["domain"] == "short"


def test_the_radius_is_a_setting_and_refused_crops_stay_out(tmp_path: Path) -> None:
    image = drawn_people.photo(4)
    rows = [
        crop_row(tmp_path, "a", image),
        crop_row(tmp_path, "b", changes(image)["brighter"]),
        crop_row(tmp_path, "c", image, status="rejected", reason="blurry", path=None),
    ]
    apart = int(phash.distance(phash.phash(image), phash.phash(changes(image)["brighter"])))
    assert set(judged(tmp_path, rows, radius=apart)) == {"a", "b"}
    assert judged(tmp_path, rows, radius=apart)["b"]["status"] == "rejected"
    if apart:
        assert judged(tmp_path, rows, radius=apart - 1)["b"]["status"] == "accepted"


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    rows = [crop_row(tmp_path, str(seed), drawn_people.photo(seed % 5)) for seed in range(8)]
    written = []
    for engine in (INLINE, Engine(kind="process", workers=2, batch=2)):
        manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, rows), tmp_path)
        dedup.run(Dedup(), tmp_path, engine=engine)
        written.append(manifest.DEDUP.path(tmp_path).read_bytes())
    assert written[0] == written[1]


def test_no_crops_no_rows(tmp_path: Path) -> None:
    assert judged(tmp_path, []) == {}


@pytest.mark.parametrize("counts", [(0, 1), (1, 1)])
def test_fingerprints_of_another_number_of_variants_are_made_again(tmp_path: Path, counts: tuple[int, int]) -> None:
    rows = [crop_row(tmp_path, name, drawn_people.photo(n)) for n, name in enumerate("ab")]
    before = judged(tmp_path, rows)
    marks = manifest.read(manifest.FINGERPRINTS, tmp_path)
    made_by = manifest.meta(manifest.FINGERPRINTS, tmp_path)
    variants = pa.array([[7] * count for count in counts], pa.list_(pa.uint64()))
    manifest.write(manifest.FINGERPRINTS, replace_column(marks, "variants", variants), tmp_path, made_by)
    assert judged(tmp_path, rows) == before


def test_when_no_crop_is_left_no_row_is(tmp_path: Path) -> None:
    assert len(judged(tmp_path, [crop_row(tmp_path, "a", drawn_people.photo(1))])) == 1
    assert judged(tmp_path, []) == {}


def test_a_missing_table_and_a_missing_crop_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="crops"):
        dedup.run(Dedup(), tmp_path, engine=INLINE)
    rows = [crop_row(tmp_path, "a", drawn_people.photo(1))]
    (tmp_path / rows[0]["path"]).unlink()
    with pytest.raises(CurateError, match=r"a\.png") as caught:
        judged(tmp_path, rows)
    assert "curate crop" in caught.value.hint


def test_a_mirrored_copy_is_one_on_request(tmp_path: Path) -> None:
    image = drawn_people.photo(3)
    mirrored, turned = np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(np.rot90(image, 3))
    both = np.ascontiguousarray(turned[:, ::-1])
    rows = [
        crop_row(tmp_path, name, copy, face_px=100.0 - n)
        for n, (name, copy) in enumerate({"a": image, "mirrored": mirrored, "turned": turned, "both": both}.items())
    ]
    found = {
        kinds: {name for name, row in judged(tmp_path, rows, variants=kinds).items() if row["duplicate_of"]}
        for kinds in ((), ("flip",), ("rot90",), ("flip", "rot90"))
    }
    assert found[()] == set()
    assert found[("flip",)] == {"mirrored", "both"}  # `both` is `turned`, mirrored
    assert found[("rot90",)] == {"turned", "both"}
    assert found[("flip", "rot90")] == {"mirrored", "turned", "both"}


def test_strangers_with_near_hashes_are_told_apart(tmp_path: Path) -> None:
    """Two drawings whose every low frequency has the same sign, but not the same strength."""
    rng = np.random.default_rng(2)
    wave = [np.cos(np.pi * (np.arange(256) + 0.5) / 256 * k) for k in range(8)]
    signs = rng.choice([-1, 1], (8, 8))

    def drawing(strengths: NDArray[np.float64]) -> NDArray[np.uint8]:
        field = sum(signs[v, u] * strengths[v, u] * np.outer(wave[v], wave[u]) for v in range(8) for u in range(8))
        return np.repeat((128 + 30 * field / field.std())[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)

    one, other = drawing(rng.uniform(0.3, 1, (8, 8)) ** 3), drawing(rng.uniform(0.3, 1, (8, 8)) ** 3)
    assert phash.distance(phash.phash(one), phash.phash(other)) <= 8
    rows = [crop_row(tmp_path, "a", one), crop_row(tmp_path, "b", other), crop_row(tmp_path, "c", one // 2 + 60)]
    assert [row["duplicate_of"] for row in judged(tmp_path, rows).values()] == [None, None, "a"]
    assert [row["duplicate_of"] for row in judged(tmp_path, rows, likeness=0.0).values()] == [None, "a", "a"]


def test_flat_pictures_are_copies_only_of_equal_ones(tmp_path: Path) -> None:
    """The hash of an almost flat picture is made from its noise, and that of a quite flat one is the same for all."""
    white, black = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    dot = white.copy()
    dot[30:34, 30:34] = 200
    pictures = {"black": black, "dot": dot, "white": white, "white-again": white.copy()}
    rows = [crop_row(tmp_path, name, picture) for name, picture in pictures.items()]
    found = judged(tmp_path, rows)
    assert {name: row["duplicate_of"] for name, row in found.items() if row["duplicate_of"]} == {"white-again": "white"}
    assert found["white"]["contrast"] < found["dot"]["contrast"] < Dedup().min_contrast


def test_a_red_and_a_blue_one_of_the_same_make_are_two(tmp_path: Path) -> None:
    grey = drawn_people.photo(5).mean(axis=2, keepdims=True)
    red, blue = (np.clip(grey + np.array(tint), 0, 255).astype(np.uint8) for tint in ((60, 0, -30), (-30, 0, 60)))
    plain = np.repeat(grey, 3, axis=2).astype(np.uint8)
    rows = [crop_row(tmp_path, "a", red), crop_row(tmp_path, "b", blue)]
    assert judged(tmp_path, rows)["b"]["duplicate_of"] is None
    rows[1] = crop_row(tmp_path, "c", plain)
    assert judged(tmp_path, rows)["c"]["duplicate_of"] == "a", "a picture without its colours is a copy"


def test_the_order_of_what_makes_the_best_copy_is_a_setting(tmp_path: Path) -> None:
    image = drawn_people.photo(1)
    rows = [
        crop_row(tmp_path, "a", image, license="unknown", face_px=300.0),
        crop_row(tmp_path, "b", image, license="cc-by-4.0", padding=0.3),
    ]
    assert judged(tmp_path, rows)["a"]["duplicate_of"] == "b"
    assert judged(tmp_path, rows, keep=("face_px", "license"))["b"]["duplicate_of"] == "a"
    assert judged(tmp_path, rows, keep=("padding",))["b"]["duplicate_of"] == "a"
    assert judged(tmp_path, rows, keep=())["b"]["duplicate_of"] == "a"


def test_what_another_data_set_keeps_is_refused(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    judged(
        there, [crop_row(there, "x", drawn_people.photo(1)), crop_row(there, "y", drawn_people.photo(2), face_px=1.0)]
    )
    rows = [
        crop_row(here, "a", changes(drawn_people.photo(1))["brighter"]),
        crop_row(here, "b", changes(drawn_people.photo(1))["resized"], face_px=50.0),
        crop_row(here, "c", np.ascontiguousarray(drawn_people.photo(2)[:, ::-1])),
        crop_row(here, "d", drawn_people.photo(4)),
    ]
    found = judged(here, rows, against=("../there/manifests",))
    assert {name: row["reason"] for name, row in found.items()} == {"a": "known", "b": "known", "c": "ok", "d": "ok"}
    assert found["a"] | {"duplicate_of": "x", "against": "../there/manifests", "cluster_id": "x"} == found["a"]
    found = judged(here, rows, against=("../there",), variants=("flip",))
    assert (found["c"]["duplicate_of"], found["c"]["against"]) == ("y", "../there")
    with pytest.raises(TableError, match="nowhere"):
        judged(here, rows, against=("../nowhere/manifests",))


class Counting(dedup.FingerprintWorker):
    """Notes what is hashed."""

    seen: ClassVar[list[str]] = []

    def __call__(self, paths: Any) -> Any:
        Counting.seen += paths
        return super().__call__(paths)


def test_only_new_crops_are_hashed_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "FingerprintWorker", Counting)
    rows = []
    for seed in range(6):
        original = drawn_people.photo(seed)
        copies = changes(original) | {"mirrored": original[:, ::-1]}
        rows += [crop_row(tmp_path, f"{name}-{seed}", np.ascontiguousarray(c)) for name, c in copies.items()]
    rows.append(crop_row(tmp_path, "resized-0-equal", changes(drawn_people.photo(0))["resized"], face_px=101.0))
    settings = {"variants": ("flip",)}
    judged(tmp_path, rows, **settings)
    fresh = manifest.DEDUP.path(tmp_path).read_bytes()
    for some in (rows[::2], rows[::3], rows[5:], rows):
        Counting.seen.clear()
        before = set(manifest.read(manifest.FINGERPRINTS, tmp_path)["crop_id"].to_pylist())
        judged(tmp_path, some, **settings)
        assert len(Counting.seen) == len({row["crop_id"] for row in some} - before)
        kept = manifest.read(manifest.FINGERPRINTS, tmp_path)
        assert kept["copies"].null_count < kept.num_rows
    assert manifest.DEDUP.path(tmp_path).read_bytes() == fresh


def test_broken_or_foreign_fingerprints_are_made_again(tmp_path: Path) -> None:
    rows = [crop_row(tmp_path, str(seed), drawn_people.photo(seed % 3)) for seed in range(5)]
    judged(tmp_path, rows)
    fresh, path = manifest.DEDUP.path(tmp_path).read_bytes(), manifest.FINGERPRINTS.path(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    judged(tmp_path, rows)
    assert manifest.DEDUP.path(tmp_path).read_bytes() == fresh
    assert manifest.read(manifest.FINGERPRINTS, tmp_path).num_rows == 5
    judged(tmp_path, rows, radius=2)  # other pairs, the same fingerprints
    judged(tmp_path, rows)
    assert manifest.DEDUP.path(tmp_path).read_bytes() == fresh


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup, "FingerprintWorker", Counting)
    monkeypatch.setattr(dedup, "_AT_ONCE", 3)
    rows = [crop_row(tmp_path, f"{n}", drawn_people.photo(n)) for n in range(7)]
    broken = tmp_path / rows[6]["path"]
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    with pytest.raises(CurateError):
        judged(tmp_path, rows)
    broken.write_bytes(whole)
    Counting.seen.clear()
    assert len(judged(tmp_path, rows)) == 7
    assert len(Counting.seen) == 1


def test_more_pairs_than_memory_may_hold_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        crop_row(tmp_path, f"{name}-{seed}", copy)
        for seed in range(4)
        for name, copy in changes(drawn_people.photo(seed)).items()
    ]
    judged(tmp_path, rows)
    fresh = manifest.DEDUP.path(tmp_path).read_bytes()
    manifest.FINGERPRINTS.path(tmp_path).unlink()
    monkeypatch.setattr("curate.pipeline.hashing.clustering.BUDGET", 3)
    judged(tmp_path, rows)
    assert manifest.DEDUP.path(tmp_path).read_bytes() == fresh
