"""The page that translates, in a real browser: a photo dropped, before and after compared, files kept."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.pipeline.imaging import codec, synthetic
from curate.train.runs.trained import Trained
from curate.train.serve import routes
from curate.train.serve.ways import Ways
from tests.support import drawn_people
from tests.support.painter import painter
from tests.support.web import TOKEN, browser, served
from tests.train.translate.test_try_on import painted_try_on

HOSTILE = "<img src=x onerror=document.title='pwned'>"
DROP = """([encoded, name]) => {
  const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
  window.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser(camera=True) as context:
        yield context


def council() -> Trained:
    return replace(painter(), members=3, source="runs/council")


def opened(chromium: Any, address: str, width: int = 1280) -> Any:
    page = chromium.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    page.wait_for_selector("#choices button", state="attached")
    return page


def drop(page: Any, picture: codec.RGB, name: str = "anna.png") -> None:
    page.evaluate(DROP, [base64.b64encode(codec.encode_png(picture)).decode(), name])


def kept(page: Any, kind: str) -> tuple[str, bytes]:
    """Name and bytes of the file that a click on `kind` gives."""
    with page.expect_download() as download:
        page.click(f"button[data-kind={kind}]")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_photo_is_dropped_translated_compared_and_kept(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo = drawn_people.photo(1)
    with served(routes.page(Ways([painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        assert page.is_visible("text=people who said yes")
        drop(page, photo)
        page.wait_for_selector(".result.done")
        assert page.inner_text(".result h3") == "long → shortpainter · Painter"
        face = page.locator(".before rect").evaluate("(rect) => rect.getBoundingClientRect().toJSON()")
        shown = page.locator(".after").evaluate("(image) => image.getBoundingClientRect().toJSON()")
        assert shown["left"] < face["left"] < face["right"] < shown["right"]

        before = page.locator(".before").bounding_box()["width"]
        page.mouse.click(shown["left"] + 0.9 * shown["width"], shown["top"] + 0.5 * shown["height"])
        at = page.evaluate("() => document.querySelector('.stage').style.getPropertyValue('--at')")
        assert 85 < float(at.rstrip("%")) < 95 and page.locator(".before").bounding_box()["width"] == before
        page.focus(".stage input")
        page.keyboard.press("Home")
        assert page.evaluate("() => document.querySelector('.stage').style.getPropertyValue('--at')") == "0%"

        name, data = kept(page, "png")
        made = codec.decode(data)
        assert name == "anna-short.png" and made.shape == photo.shape
        assert (made != photo).any() and np.array_equal(made[:8], photo[:8]), "the whole photo, painted in its middle"
        assert synthetic.SOURCE_TYPE.encode() in data and b"Painter" in data
        name, data = kept(page, "jpg")
        assert name == "anna-short.jpg" and np.abs(codec.decode(data).astype(int) - made).mean() < 4
        assert synthetic.SOURCE_TYPE.encode() in data
        name, data = kept(page, "gif")
        with Image.open(io.BytesIO(data)) as moving:
            assert name == "anna-short.gif" and moving.n_frames > 2  # type: ignore[attr-defined]
        page.close()
    assert not list(tmp_path.iterdir()), "nothing is stored"


def test_several_runs_members_and_styles_stand_side_by_side(chromium: Any) -> None:
    one = council()
    with served(routes.page(Ways([painter(), one]), TOKEN)) as address:
        page = opened(chromium, address)
        assert page.is_hidden("#council")
        page.click("#choices button:nth-child(2)")
        page.click("#members button:nth-child(3)")
        page.fill("#styles", "2")
        page.fill("#style", "7")
        drop(page, drawn_people.photo(1))
        page.wait_for_function("() => document.querySelectorAll('.result.done').length === 5")
        told = page.locator(".result h3 span").all_inner_texts()
        ways = [f"council · Painter · member {m}, style {s}" for m in (0, 2) for s in (7, 8)]
        assert told == ["painter · Painter", *ways]
        seen = {(int(batch["member"]), int(batch["style"])) for batch in one.recipe.seen}  # type: ignore[attr-defined]
        assert seen == {(0, 7), (0, 8), (2, 7), (2, 8)}
        page.click("#choices button:nth-child(2)")
        page.wait_for_function("() => document.querySelectorAll('.result.done').length === 1")
        page.close()


def test_every_face_is_translated_where_that_is_wanted(chromium: Any) -> None:
    two = np.concatenate([drawn_people.photo(1), drawn_people.photo(3)], axis=1)
    with served(routes.page(Ways([painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        drop(page, two)
        page.wait_for_selector(".result.done")
        assert page.locator(".before rect").count() == 1
        page.check("#every")
        page.wait_for_function("() => document.querySelectorAll('.before rect').length === 2")
        made = codec.decode(kept(page, "png")[1])
        assert all((half != own).any() for half, own in zip(np.split(made, 2, 1), np.split(two, 2, 1), strict=True))
        page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_phone_and_a_desk(chromium: Any, width: int) -> None:
    with served(routes.page(Ways([painter(), council()]), TOKEN, {"long-1": b"", "short-1": b""})) as address:
        page = opened(chromium, address, width)
        page.click("#choices button:nth-child(2)")
        drop(page, np.ascontiguousarray(np.tile(drawn_people.photo(1), (1, 2, 1))))
        page.wait_for_function("() => document.querySelectorAll('.result.done').length === 2")
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        for card in page.locator(".result .stage").all():
            box = card.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["width"] > 300
        page.close()


def test_an_article_is_chosen_and_worn(chromium: Any) -> None:
    article = {"name": "shirt.png", "mimeType": "image/png", "buffer": codec.encode_png(drawn_people.landscape(1))}
    with served(routes.page(Ways([painted_try_on()[0].trained, painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        assert page.is_hidden("#wear")
        page.click("#choices button:nth-child(1)")
        page.click("#choices button:nth-child(2)")
        drop(page, drawn_people.photo(1))
        page.wait_for_selector(".result.failed")
        assert "no picture of an article" in page.inner_text(".result .told")
        page.set_input_files("#article-file", files=[article])
        page.wait_for_selector(".result.done")
        assert page.is_visible("#article") and kept(page, "png")[0] == "anna-in-your-article.png"
        page.close()


def test_without_a_face_it_says_so_and_offers_the_whole_photo(chromium: Any) -> None:
    with served(routes.page(Ways([painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        drop(page, drawn_people.landscape(1))
        page.wait_for_selector(".result.failed")
        assert "no face of 'long' was found" in page.inner_text(".result .told")
        page.click("text=take the whole photo")
        page.wait_for_selector(".result.done")
        assert kept(page, "png")[0] == "anna-short.png"
        page.close()


def test_the_camera_takes_a_photo(chromium: Any) -> None:
    with served(routes.page(Ways([painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        page.click("#camera")
        page.wait_for_selector("#video", state="visible")
        page.click("#cancel")
        page.wait_for_selector("#video", state="hidden")
        assert page.is_hidden("#chosen")
        page.click("#camera")
        page.click("#shoot")
        page.wait_for_selector(".result.failed")  # moving shapes have no face
        assert page.is_visible("#chosen") and page.is_hidden("#viewfinder")
        page.close()


def test_words_of_strangers_are_shown_as_words(chromium: Any) -> None:
    foreign = replace(painter(), source=f"runs/{HOSTILE}", domains={"a": HOSTILE, "b": "short"})
    with served(routes.page(Ways([foreign, painter()]), TOKEN)) as address:
        page = opened(chromium, address)
        drop(page, drawn_people.photo(1), f"{HOSTILE}.png")
        page.wait_for_selector(".result.done")
        assert HOSTILE in page.inner_text("#choices") and HOSTILE in page.inner_text(".result h3")
        drop(page, drawn_people.landscape(1))
        page.wait_for_selector(".result.failed")
        assert HOSTILE in page.inner_text(".result .told")
        assert page.title() == "curate serve" and page.locator("img[src=x]").count() == 0
        page.close()
