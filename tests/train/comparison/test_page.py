"""The page of `curate compare`: what is on it, and voting on it with a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from curate.pipeline.imaging import codec
from curate.train.comparison import evaluation, page, votes
from curate.train.comparison.evaluation import Evaluation, HeldOutImage, Way
from curate.train.comparison.scores import Score
from tests.support.command import curate
from tests.support.web import browser

WAY = "<b>long</b> to short"
PHOTOS = ["first", "<i>second</i>", "third"]
RUNS = ["dusky", "sun<i>ny"]


def evaluated(run: str, number: int, root: Path) -> Evaluation:
    """A run that made every photo its own grey; the second numbers the photos from the other end."""
    names = PHOTOS[:: -1 if number else 1]
    photos = [HeldOutImage(id=name, nearest=f"trained-{n}", ratio=1.0 - n / 4) for n, name in enumerate(names)]
    for kind in ("before", "after", "nearest"):
        for n, name in enumerate(names):
            level = {"before": 10 + 20 * PHOTOS.index(name), "after": 100 + 50 * number, "nearest": 250}[kind]
            path = root / evaluation.FOLDER / run / "pictures/a2b" / kind / f"{n:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(codec.encode_jpeg(np.full((32, 32, 3), level, np.uint8)))
    score = Score(value=0.25, spread=0.5, images=3, reference=0.75)
    way = Way(label=WAY, scores={"kid": score}, unmeasured={"cycle_l1": "there is <u>none</u>"}, photos=photos,
              kinds=["before", "after", "nearest"])  # fmt: skip
    return Evaluation(run=run, recipe="cyclegan", step=1, seed=number, settings=run, made_by=run, net="standin",
                      split="test", ways={"a2b": way})  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    file = root / "compare.html"
    file.write_text(page.render([evaluated(run, n, root) for n, run in enumerate(RUNS)], root), "utf-8")
    return file


def test_every_photo_stands_there_once_and_text_of_strangers_is_text(written: Path) -> None:
    text = written.read_text("utf-8")
    assert text.count("data-photo=") == len(PHOTOS)
    assert "&lt;i&gt;second&lt;/i&gt;" in text
    assert not [tag for tag in ("<b>long", "<i>second", "<u>none", "sun<i>ny") if tag in text]
    assert "0.250 ± 0.500" in text
    assert "0.750 untranslated" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text), "nothing is fetched"


def test_a_run_alone_has_nothing_to_vote_on(tmp_path: Path) -> None:
    text = page.render([evaluated("dusky", 0, tmp_path)], tmp_path)
    assert "<script" not in text
    assert text.count("data-photo=") == len(PHOTOS)


def test_a_council_s_pictures_say_whose_they_are_and_in_which_style(tmp_path: Path) -> None:
    council = msgspec.structs.replace(evaluated("dusky", 0, tmp_path), recipe="council")
    text = page.render([council, evaluated("sunny", 1, tmp_path)], tmp_path)
    assert text.count("<figcaption>dusky, member 0, style 0</figcaption>") >= len(PHOTOS)
    assert "measured and shown: dusky, member 0, style 0" in text
    assert "sunny, member" not in text


def test_a_picture_that_is_gone_leaves_a_gap(tmp_path: Path) -> None:
    both = [evaluated(run, n, tmp_path) for n, run in enumerate(RUNS)]
    (tmp_path / evaluation.FOLDER / RUNS[1] / "pictures/a2b/after/0000.jpg").unlink()
    assert page.render(both, tmp_path).count("not there") == 2, "in the gallery and beside the training picture"


def test_an_evaluation_leads_nowhere_but_into_its_own_folder(tmp_path: Path) -> None:
    mine = evaluated("mine", 0, tmp_path)
    folder = evaluation.write(mine, tmp_path)
    assert evaluation.read("mine", tmp_path) == mine
    named = msgspec.to_builtins(mine)
    way = named["ways"]["a2b"]
    strange = {"ways": {"a2b": way | {"unmeasured": {"../x": "no"}}}}
    for other in ({"run": "../../elsewhere"}, {"run": "/elsewhere"}, {"ways": {"../a2b": way}}, strange):
        (folder / evaluation.DOCUMENT).write_text(json.dumps(named | other), "utf-8")
        assert evaluation.read("mine", tmp_path) is None, other


def level(sheet: Any, where: str) -> int:
    """The grey of the picture at the selector `where`."""
    script = """(picture) => { const c = document.createElement("canvas"), d = c.getContext("2d");
        d.drawImage(picture, 0, 0); return d.getImageData(5, 5, 1, 1).data[0]; }"""
    return int(sheet.eval_on_selector(where, script))


def test_votes_by_keyboard_outlive_a_reload_and_are_counted(written: Path, tmp_path: Path) -> None:
    with browser() as context:
        sheet = context.new_page()
        troubles: list[str] = []
        sheet.on("pageerror", lambda error: troubles.append(str(error)))
        sheet.goto(written.as_uri())
        sheet.click("#begin")
        assert sheet.evaluate("document.activeElement.id") == "state", "no side looks as if it were chosen"
        asked = []
        for _ in range(2):
            asked.append(level(sheet, "#asked img"))
            dark_left = level(sheet, "#choices button:first-child img") < level(sheet, "#choices button:last-child img")
            sheet.keyboard.press("ArrowLeft" if dark_left else "ArrowRight")  # always the darker one: dusky
        sheet.keyboard.press("ArrowDown")
        assert "All 3 done" in sheet.inner_text("#state")
        sheet.keyboard.press("Backspace")
        sheet.reload()
        sheet.click("#begin")
        assert sheet.inner_text("#state") == "Which is better? 3 of 3"
        asked.append(level(sheet, "#asked img"))
        assert not [name for name in RUNS if name in sheet.inner_html("#choices")], "blind"
        sheet.keyboard.press("ArrowDown")
        with sheet.expect_download() as download:
            sheet.click("#save")
        download.value.save_as(tmp_path / "votes.json")
        assert not troubles
    assert sorted(asked) == pytest.approx([10, 30, 50], abs=3), "each photo once"
    (tally,) = votes.count(votes.read([tmp_path / "votes.json"]))
    assert (tally.first, tally.wins, tally.losses, tally.same) == ("dusky", 2, 0, 1)
    assert json.loads((tmp_path / "votes.json").read_text())["page"] in written.read_text("utf-8")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_phone_shows_it_without_sideways_scroll(written: Path, colours: str) -> None:
    with browser() as context:
        sheet = context.new_page()
        sheet.emulate_media(color_scheme=colours)
        sheet.set_viewport_size({"width": 390, "height": 800})
        sheet.goto(written.as_uri())
        assert sheet.evaluate("document.documentElement.scrollWidth") == 390
        ground = sheet.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (colours == "dark")
        sheet.click(".photo")
        assert sheet.locator("#large figure").count() == 3
        assert sheet.evaluate("document.getElementById('large').scrollTop") == 0
        sheet.keyboard.press("Escape")
        sheet.click("#begin")
        for part in ("#asked", "#choices", "#save", "#choices button:last-child"):
            box = sheet.locator(part).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 390, part
            assert box["y"] >= 0 and box["y"] + box["height"] <= 800, part


def test_the_command_refuses_to_write_over_what_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "diary.html").write_text("dear diary")
    done = curate("compare", "c0", "--root", tmp_path, "--out", tmp_path / "diary.html", code=2)
    assert "no file that curate wrote" in done.stderr
    assert (tmp_path / "diary.html").read_text() == "dear diary"
