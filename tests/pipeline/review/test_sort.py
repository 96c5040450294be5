"""Looking at crops in order: the right order, the right pictures, and nothing else touched."""

from __future__ import annotations

import base64
import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bs4 import BeautifulSoup

from curate.pipeline.core.errors import TableError, UsageError
from curate.pipeline.imaging import codec
from curate.pipeline.review import listing, sort, sort_keys
from curate.pipeline.review.sort import SortQuery
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.decisions import Decision
from tests.support.tables import crop_row, image_row, png, small_world


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    return tmp_path


def listed(root: Path, view: Any) -> list[dict[str, str]]:
    with (root / view.list).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def sheet(root: Path, view: Any) -> BeautifulSoup:
    return BeautifulSoup((root / view.page).read_text("utf-8"), "lxml")


def snapshot(root: Path) -> dict[str, bytes]:
    folders = ("raw", "manifests", "processed/crops")
    return {str(p): p.read_bytes() for f in folders for p in (root / f).rglob("*") if p.is_file()}


@pytest.mark.parametrize("by", ["face_sharpness", "brightness", "yaw", "hue", "shape_error", "faces"])
@pytest.mark.parametrize("reverse", [False, True])
def test_rows_come_in_order_of_the_key_and_those_without_a_value_last(world: Path, by: str, reverse: bool) -> None:
    rows = listed(world, sort.run(SortQuery(by, status="all", reverse=reverse), world))
    assert len(rows) == 24
    values = [float(row["value"]) for row in rows if row["value"]]
    assert values == sorted(values, reverse=reverse)
    assert all(not row["value"] for row in rows[len(values) :])


def test_each_measured_column_is_a_key() -> None:
    measured = {c.name for c in manifest.CROPS.schema if str(c.type) in {"float", "double"}} | {"faces", "is_grey"}
    colours = {f"{part}_{what}" for part in ("hair", "eye", "skin") for what in ("hue", "lightness")}
    assert sort_keys.KEYS.keys() == measured | colours | {"yaw", "pitch", "alike", "least-alike"}


def test_colours_sort_by_hue_and_by_lightness() -> None:
    texts = ["#ff0000", "#00ff00", "#0000ff", "#101010", "#ffffff", None]
    table = pa.table({"hair_colour": pa.array(texts, pa.string())})
    places, hues = sort_keys.sort(table, sort_keys.named("hair_hue"))
    assert places.tolist()[:3] == [0, 1, 2] and hues.tolist()[:3] == pytest.approx([0, 120, 240])
    assert np.isnan(hues[3:]).all()
    places, light = sort_keys.sort(table, sort_keys.named("hair_lightness"))
    assert places.tolist() == [3, 2, 0, 1, 4, 5]
    assert light[[1, 2, 4]].tolist() == pytest.approx([32.3, 53.2, 100], abs=0.1)


def test_a_sheet_holds_its_pictures_and_nothing_else_changes(world: Path) -> None:
    before = snapshot(world)
    view = sort.run(SortQuery("face_sharpness"), world)
    assert snapshot(world) == before
    soup = sheet(world, view)
    tiles = soup.select(".shown li")
    rows = listed(world, view)
    assert len(tiles) == len(rows) == view.shown == view.rows == 18  # without the two copies
    for tile, row in zip(tiles, rows, strict=True):
        source = str(tile.img["src"])  # type: ignore[index]
        shown = codec.decode(base64.b64decode(source.removeprefix("data:image/jpeg;base64,")))
        crop = codec.decode((world / row["path"]).read_bytes())
        assert np.abs(shown.astype(int) - crop).mean() < 12
        assert f"{float(row['value']):.4g}" in tile.get_text()
        assert row["domain"] in tile.get_text()
    assert not soup.select(".reason")
    assert not soup.find_all(["script", "iframe"])
    text = (world / view.page).read_text("utf-8")
    assert "url(" not in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def test_refused_crops_are_shown_with_their_reason(world: Path) -> None:
    first = manifest.accepted(manifest.read(manifest.DEDUP, world))["crop_id"][0].as_py()
    decisions.append(world, [Decision(item=first, decision="reject", reason="<b>mirrored</b>", by="ann")])
    view = sort.run(SortQuery("face_px", status="rejected"), world)
    assert sorted(row["reason"] for row in listed(world, view)) == sorted(
        ["no_face", "too_small", "duplicate"] * 2 + ["review"]
    )
    told = [tag.get_text() for tag in sheet(world, view).select(".reason")]
    assert sorted(told) == sorted(["no_face", "too_small", "duplicate"] * 2 + ["review: <b>mirrored</b>"])


def test_a_crop_without_a_file_is_cut_again_for_the_sheet(tmp_path: Path) -> None:
    image = image_row(tmp_path, png(3), "a", 0)
    refused = crop_row(tmp_path, image, status=manifest.REJECTED, reason="blurry")
    meta = {"section": {"size": 64}}
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, [image]), tmp_path)
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, [refused]), tmp_path, meta=meta)
    view = sort.run(SortQuery("face_px", status="rejected"), tmp_path)
    source = str(sheet(tmp_path, view).select_one(".shown img")["src"])  # type: ignore[index]
    shown = codec.decode(base64.b64decode(source.removeprefix("data:image/jpeg;base64,")))
    raw = codec.decode((tmp_path / image["path"]).read_bytes())[16:80, 16:80]
    assert shown.shape == (128, 128, 3)
    assert np.abs(shown[::2, ::2].astype(int) - raw).mean() < 20


def test_domain_and_top(world: Path) -> None:
    view = sort.run(SortQuery("brightness", ("long",), top=3), world)
    rows = listed(world, view)
    assert {row["domain"] for row in rows} == {"long"}
    assert (view.rows, view.shown, len(rows)) == (3, 3, 3)
    assert view.page == "processed/views/brightness-long.html"


@pytest.mark.parametrize("by", ["alike", "least-alike"])
def test_orders_by_hash(world: Path, by: str) -> None:
    rows = listed(world, sort.run(SortQuery(by), world))
    turned = listed(world, sort.run(SortQuery(by, reverse=True), world))
    assert [row["crop_id"] for row in turned] == [row["crop_id"] for row in rows][::-1]
    hashes = dict(
        zip(*(manifest.read(manifest.DEDUP, world)[c].to_pylist() for c in ("crop_id", "phash")), strict=True)
    )
    for n in range(1, len(rows)):
        before = rows[n - 1 : n] if by == "alike" else rows[:n]
        near = min((hashes[rows[n]["crop_id"]] ^ hashes[row["crop_id"]]).bit_count() for row in before)
        assert float(rows[n]["value"]) == near


def test_orders_by_hash_need_hashes(world: Path) -> None:
    manifest.DEDUP.path(world).unlink()
    with pytest.raises(TableError) as told:
        sort.run(SortQuery("alike"), world)
    assert "curate dedup" in told.value.hint


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (SortQuery("sharpnes"), "there is no key 'sharpnes'; did you mean 'sharpness'"),
        (SortQuery("yaw", ("lonng",)), "did you mean 'long'"),
        (SortQuery("yaw", status="acepted"), "did you mean 'accepted'"),
    ],
)
def test_typos_are_told(wish: SortQuery, said: str, world: Path) -> None:
    with pytest.raises(UsageError, match=said):
        sort.run(wish, world)


def test_photos_without_a_face_wait_until_a_person_has_decided(world: Path) -> None:
    view = listing.run("no-face", world)
    rows = listed(world, view)
    assert [row["domain"] for row in rows] == ["long", "short"]
    assert all((world / row["path"]).is_file() for row in rows)
    decisions.append(world, [Decision(item=rows[0]["image_id"], decision="reject", by="ann")])
    assert [row["domain"] for row in listed(world, listing.run("no-face", world))] == ["short"]
    whole = listed(world, listing.run("no-face", world, decided_too=True))
    assert [row["decided"] for row in whole] == ["reject", ""]


def test_photos_with_several_faces_are_shown_with_each_framed(tmp_path: Path) -> None:
    photos = [image_row(tmp_path, png(i), "a", i) for i in range(3)]
    crops = [crop_row(tmp_path, photos[0])]
    for photo, faces in ((photos[1], 2), (photos[2], 3)):
        for index in range(faces):
            fate = {} if index == 0 else {"status": manifest.REJECTED, "reason": "not_largest"}
            crops.append(crop_row(tmp_path, photo, face_index=index, faces=4, box=[8.0 * index, 0.0, 48, 48], **fate))
    false = {"status": manifest.REJECTED, "reason": "implausible"}
    crops.append(crop_row(tmp_path, photos[0], face_index=1, **false))
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, crops), tmp_path)
    view = listing.run("several", tmp_path)
    assert [(row["faces"], row["path"]) for row in listed(tmp_path, view)] == [
        ("3", photos[2]["path"]),
        ("2", photos[1]["path"]),
    ]
    frames = [tile.select(".face") for tile in sheet(tmp_path, view).select(".shown li")]
    assert [len(found) for found in frames] == [3, 2]
    assert "left:8.33%;top:0.0%;width:50.0%;height:50.0%" in str(frames[0][1]["style"])


def test_an_unknown_list(world: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'several'"):
        listing.run("severl", world)
