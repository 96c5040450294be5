"""What became of held-out photos, at the top of the report, and the picture of it; the page to watch runs on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup

from curate.pipeline.imaging import codec
from curate.pipeline.stats import before_after, before_after_picture
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats

BEFORE, AFTER, ARTICLE = 40, 200, 120  # levels of grey


def grey(path: Path, level: int, height: int = 270, width: int = 180) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(codec.encode_png(np.full((height, width, 3), level, np.uint8)))
    return path


def translated(root: Path, name: str, count: int, *, article: bool = False, named: str = "raw") -> None:
    """`count` photos as `curate translate` leaves them in processed/translated/NAME."""
    for number in range(count):
        photo = grey(root / f"raw/images/{name}{number}.png", BEFORE)
        worn = grey(root / "raw/images/article.png", ARTICLE, 50, 50) if article else None
        made = grey(root / f"{before_after.TRANSLATED}/{name}/{name}{number}.png", AFTER)
        notes = {
            "input": str(photo if named == "absolute" else photo.relative_to(root)),
            "output": str(made.relative_to(root)),
            "article": str(worn.relative_to(root)) if worn else None,
            "direction": "a2b",
            "domains": {"a": "long", "b": "short"},
            "step": 700,
        }
        made.with_suffix(".json").write_text(json.dumps(notes), "utf-8")


def page(root: Path, *planned: str) -> BeautifulSoup:
    return BeautifulSoup(report.run(Stats(), root, planned=planned).read_text("utf-8"), "lxml")


def test_the_first_photos_of_each_folder_stand_at_the_top_with_who_made_them(tmp_path: Path) -> None:
    translated(tmp_path, "drawn-hair", 2)
    translated(tmp_path, "cagan", 9, article=True, named="absolute")
    (tmp_path / "processed/runs/cagan").mkdir(parents=True)
    soup = page(tmp_path)
    sections = soup.select("main section")
    assert sections[0]["id"] == "results"
    own, shipped = sections[0].select(".card")
    assert "that this project trained, 700 steps" in own.get_text()
    assert "700 steps, long to short: not by what is trained here." in shipped.get_text()
    assert [len(card.select(".change")) for card in (own, shipped)] == [before_after.SHOWN, 2]
    assert [len(card.select(".change")[0].select("img")) for card in (own, shipped)] == [3, 2]
    assert not shipped.select("figcaption"), "of one folder alone, its name stands above"
    for image in sections[0].select("img"):
        assert (tmp_path / report.FOLDER / str(image["src"])).is_file()


def test_networks_that_were_given_the_same_photos_stand_side_by_side(tmp_path: Path) -> None:
    translated(tmp_path, "cyclegan", 3)
    for number in range(2):  # the third photo has not been given to the second
        path = tmp_path / f"{before_after.TRANSLATED}/cyclegan/cyclegan{number}"
        notes = json.loads(path.with_suffix(".json").read_text("utf-8"))
        other = grey(tmp_path / f"{before_after.TRANSLATED}/drawn-hair/{number}.png", AFTER, 50, 180)
        notes["output"] = str(other.relative_to(tmp_path))
        other.with_suffix(".json").write_text(json.dumps(notes), "utf-8")
    (card,) = page(tmp_path).select("#results .card")
    names = [[name.get_text() for name in change.select("figcaption")] for change in card.select(".change")]
    assert names == [["cyclegan", "drawn-hair"], ["cyclegan", "drawn-hair"], ["cyclegan"]]
    first = card.select_one(".change")
    assert first is not None
    kinds = [figure["class"] for figure in first.select("figure")]
    assert kinds == [["slider"], ["apart"]], "pictures of two shapes are never laid over each other"


def test_the_picture_has_photos_above_what_became_of_them_from_own_runs_alone(tmp_path: Path) -> None:
    translated(tmp_path, "drawn-hair", 9)
    translated(tmp_path, "cyclegan", 9)
    translated(tmp_path, "cagan", 9, article=True)
    for name in ("cyclegan", "cagan"):
        (tmp_path / "processed/runs" / name).mkdir(parents=True)
    page(tmp_path)
    path = tmp_path / report.FOLDER / before_after_picture.PICTURE
    shown = codec.decode(path.read_bytes())
    pitch, tile = before_after_picture.TILE + 8, before_after_picture.TILE
    assert shown.shape == (tile + pitch, 6 * pitch - 8, 3)
    levels = [[int(shown[row * pitch + 50, column * pitch + 50, 0]) for column in range(6)] for row in (0, 1)]
    assert np.abs(np.subtract(levels, [[BEFORE] * 6, [AFTER] * 6])).max() <= 2
    corners = [int(shown[-20, column * pitch + tile - 20, 0]) for column in range(6)]
    assert np.abs(np.subtract(corners, [AFTER] * 3 + [ARTICLE] * 3)).max() <= 2, "hair first, then garments"
    for folder in (tmp_path / before_after.TRANSLATED).iterdir():
        for file in folder.glob("*.json"):
            file.unlink()
    page(tmp_path)
    assert not path.exists(), "nothing stays of what is gone"


def test_of_the_same_photos_the_picture_has_what_longer_training_made(tmp_path: Path) -> None:
    own, other = (
        before_after.Translation(name, [before_after.Example(Path("a.png"), Path(name), None)], "a2b", step, here)
        for name, step, here in (("cyclegan", 500, True), ("drawn-hair", 2000, False))
    )
    for before, after in (("a.png", BEFORE), ("cyclegan", 10), ("drawn-hair", AFTER)):
        grey(tmp_path / f"{before}.png" if "." not in before else tmp_path / before, after)
    found = [
        replace(one, examples=[before_after.Example(tmp_path / "a.png", tmp_path / f"{one.name}.png", None)])
        for one in (own, other)
    ]
    path = before_after_picture.write_picture(found, tmp_path)
    assert path is not None
    shown = codec.decode(path.read_bytes())
    assert abs(int(shown[-50, 50, 0]) - AFTER) <= 2
    grey(tmp_path / "drawn-hair.png", AFTER, 64, 64)
    assert before_after_picture.write_picture(found, tmp_path) is None, "an icon of 64 px would be shown as a blur"


def test_before_anything_is_trained_the_picture_shows_what_came_with_curate(tmp_path: Path) -> None:
    translated(tmp_path, "drawn-hair", 2)
    page(tmp_path)
    assert codec.decode((tmp_path / report.FOLDER / before_after_picture.PICTURE).read_bytes()).shape[1] < 2 * 400


@pytest.mark.parametrize("notes", ["nonsense", "[]", '{"input": "raw/none.png", "output": "x.png"}', '{"input": 3}'])
def test_notes_that_tell_of_nothing_are_passed_over(tmp_path: Path, notes: str) -> None:
    translated(tmp_path, "cyclegan", 1)
    (tmp_path / before_after.TRANSLATED / "cyclegan" / "a.json").write_text(notes, "utf-8")
    assert len(page(tmp_path).select(".change")) == 1


def test_a_photo_that_lies_elsewhere_is_not_taken_along(tmp_path: Path) -> None:
    root = tmp_path / "root"
    translated(root, "cyclegan", 1)
    path = root / before_after.TRANSLATED / "cyclegan" / "cyclegan0.json"
    elsewhere = grey(tmp_path / "mine.png", BEFORE)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "input": str(elsewhere)}), "utf-8")
    assert not page(root).select(".change")


def test_runs_are_watched_from_before_they_begin(tmp_path: Path) -> None:
    for name, ended in (("cagan", True), ("ugatit", False)):
        (tmp_path / "processed/runs" / name).mkdir(parents=True)
        if ended:
            (tmp_path / "processed/runs" / name / "metrics.json").write_text("{}")
    soup = page(tmp_path, "cyclegan", "cagan", "ugatit")
    assert "Still to be trained here: cyclegan, ugatit." in soup.get_text()
    watch = BeautifulSoup((tmp_path / report.FOLDER / "watch.html").read_text("utf-8"), "lxml")
    sources = [str(shown["data"]) for shown in watch.select("object")]
    assert sources == [f"../runs/{name}/samples/history.gif" for name in ("cagan", "ugatit", "cyclegan")]
    assert watch.select_one("meta[http-equiv=refresh]")
    assert "Still to be trained" not in page(tmp_path, "cagan").get_text()
