"""The report: whole, self-contained, safe against what strangers write, and the same for the same tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from curate.pipeline.build import stage as build
from curate.pipeline.build.config import Build
from curate.pipeline.core.parallel import Engine
from curate.pipeline.pairs import stage as pairs
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.stats.reasons import REASONS
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, png, small_world

CALLS = ("src", "href", "srcset", "poster", "data", "action")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    small_world(tmp_path)
    build.run(Build(), tmp_path)
    pairs.run(Pairs(size=32), tmp_path, engine=Engine(kind="inline"))
    return tmp_path


def parsed(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text("utf-8"), "lxml")


def references(page: Path) -> list[str]:
    found = [tag[name] for tag in parsed(page).find_all(True) for name in CALLS if tag.has_attr(name)]
    return [str(value) for value in found]


def snapshot(root: Path) -> dict[str, bytes]:
    folder = root / report.FOLDER
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_everything_that_the_page_names_is_there(world: Path) -> None:
    page = report.run(Stats(), world)
    local = [ref for ref in references(page) if not ref.startswith(("#", "http://", "data:,"))]
    assert sum(ref.startswith("thumbs/") for ref in local) > 30
    for ref in local:
        assert (page.parent / ref).is_file(), ref
    anchors = [ref[1:] for ref in references(page) if ref.startswith("#")]
    assert anchors
    assert all(parsed(page).find(id=anchor) for anchor in anchors)


def test_the_page_fetches_nothing(world: Path) -> None:
    page = report.run(Stats(), world)
    soup = parsed(page)
    assert not soup.find_all(["iframe", "object", "embed"])
    assert all(not script.get("src") for script in soup.find_all("script"))
    assert all(link.get("href") == "data:," for link in soup.find_all("link"))
    assert "url(" not in page.read_text("utf-8")
    assert "@import" not in page.read_text("utf-8")
    for image in soup.find_all("img"):
        assert str(image["src"]).startswith("thumbs/")
        assert image["loading"] == "lazy"


def test_thumbnails_are_small_and_their_sizes_true(world: Path) -> None:
    page = report.run(Stats(), world)
    for image in parsed(page).find_all("img"):
        with Image.open(page.parent / str(image["src"])) as thumb:
            assert thumb.format == "JPEG"
            assert max(thumb.size) <= 128
            assert thumb.size == (int(str(image["width"])), int(str(image["height"])))


def test_the_same_tables_give_the_same_files(world: Path) -> None:
    report.run(Stats(), world)
    first = snapshot(world)
    (world / report.FOLDER / "thumbs" / "old.jpg").write_bytes(b"from an earlier page")
    report.run(Stats(), world)
    assert snapshot(world) == first
    for path in (world / report.FOLDER / "thumbs").iterdir():
        path.unlink()
    report.run(Stats(), world)
    assert snapshot(world) == first


def test_the_page_tells_numbers_and_reasons(world: Path) -> None:
    text = parsed(report.run(Stats(), world)).get_text(" ", strip=True)
    for word in ("long", "garments", "no_face", "the detector found no face", "robots_denied", "no_human"):
        assert word in text


def test_a_sheet_holds_no_more_than_asked(world: Path) -> None:
    page = report.run(Stats(per_sheet=3), world)
    sheets = parsed(page).select("#kept .card:has(.sheet)")
    assert [len(sheet.find_all("img")) for sheet in sheets] == [3, 3]
    assert "3 of 9" in sheets[0].get_text()


def test_refused_faces_are_framed(world: Path) -> None:
    frames = parsed(report.run(Stats(), world)).select("#losses .face")
    assert frames
    assert "left:16.67%;top:16.67%;width:66.67%;height:66.67%" in str(frames[0]["style"])


def test_what_strangers_write_stays_text(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    row = {"title": evil, "creator": evil, "license": evil, "page_url": "javascript:alert(1)", "license_url": "data:x"}
    rows = [
        image_row(tmp_path, png(i), evil, i, **row, role=role, group_id="p")
        for i, role in enumerate(("article", "human"))
    ]
    rows.append(image_row(tmp_path, None, evil, 3, image_url=evil, status=manifest.REJECTED, reason="bad_url"))
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), tmp_path)
    pairs.run(Pairs(size=32), tmp_path, engine=Engine(kind="inline"))
    page = report.run(Stats(), tmp_path)
    soup = parsed(page)
    assert evil not in page.read_text("utf-8") and "<script>alert" not in page.read_text("utf-8")
    assert len(soup.find_all("script")) == 2, "the page's own, and what its pictures open to, which is no program"
    assert not [tag for tag in soup.find_all(True) for name in tag.attrs if name.startswith("on")]
    assert not [ref for ref in references(page) if ref.lower().startswith(("javascript:", "data:x"))]
    assert evil in soup.get_text()


def test_an_empty_folder_has_a_page(tmp_path: Path) -> None:
    page = report.run(Stats(), tmp_path)
    assert "curate scrape" in parsed(page).get_text()
    assert not parsed(page).find_all("img")


@pytest.mark.parametrize("alone", ["images", "crops", "dedup", "dataset", "pairs"])
def test_a_table_that_stands_alone_has_a_page(world: Path, alone: str) -> None:
    for name, table in manifest.TABLES.items():
        if name != alone:
            table.path(world).unlink()
    soup = parsed(report.run(Stats(), world))
    assert soup.select("#funnel")
    assert bool(soup.select("#funnel .step")) == (alone != "dedup"), "which names no picture"


def test_files_that_are_gone_leave_their_place_empty(world: Path) -> None:
    before = len(parsed(report.run(Stats(), world)).find_all("img"))
    for path in (world / "raw").rglob("*.png"):
        path.unlink()
    for path in (world / report.FOLDER / "thumbs").iterdir():
        path.unlink()
    after = len(parsed(report.run(Stats(), world)).find_all("img"))
    assert 0 < after < before


def test_runs_show_their_newest_samples_and_their_losses(world: Path) -> None:
    run = world / "processed" / "runs" / "cyclegan"
    (run / "samples").mkdir(parents=True)
    for step in (100, 200):
        Image.new("RGB", (300, 100), (step, 0, 0)).save(run / "samples" / f"{step:08}.png")
    rows = ["step\tG/gan\tG/cycle\tD/d\tG/lr", *(f"{s}\t{1 / s}\t{2 / s}\t\t0.1" for s in range(1, 900))]
    (run / "scalars.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    page = report.run(Stats(), world)
    section = parsed(page).select_one("#runs")
    assert section is not None
    assert "00000200.png" in section.get_text()
    lines = section.select("details svg polyline")
    assert len(lines) == 2  # D was never measured, and a learning rate is no loss
    assert all(len(str(line["points"]).split()) <= 240 for line in lines)


def test_a_sample_grid_that_changes_changes_the_page(world: Path) -> None:
    grid = world / "processed" / "runs" / "cyclegan" / "samples" / "latest.png"
    grid.parent.mkdir(parents=True)
    shown = []
    for colour in ("red", "blue"):
        Image.new("RGB", (64, 64), colour).save(grid.with_name("00000100.png"))
        shown.append(str(parsed(report.run(Stats(), world)).select_one("#runs img")["src"]))  # type: ignore[index]
    assert shown[0] != shown[1]


def test_credits_hold_every_image_that_trains(world: Path) -> None:
    report.run(Stats(), world)
    lines = (world / report.FOLDER / "attribution.csv").read_text("utf-8").splitlines()
    trains = manifest.read(manifest.DATASET, world).num_rows + 2 * len(
        manifest.accepted(manifest.read(manifest.PAIRS, world))
    )
    assert len(lines) == 1 + trains


@pytest.mark.parametrize("stage", REASONS)
def test_every_reason_has_words(stage: str) -> None:
    made = (manifest.IMAGES, manifest.CROPS, manifest.DEDUP, manifest.DATASET, manifest.PAIRS)
    table = dict(zip(("scrape", "crop", "dedup", "build", "pairs"), made, strict=True))[stage]
    assert REASONS[stage].keys() == table.reasons - {manifest.OK}
