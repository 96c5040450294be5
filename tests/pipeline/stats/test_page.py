"""The report in a browser, from disk: what one can do with it, at the width of a phone and of a desk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.pipeline.imaging import codec
from curate.pipeline.stats import before_after
from curate.pipeline.stats import stage as report
from curate.pipeline.stats.config import Stats
from curate.pipeline.tables import manifest
from tests.support.tables import image_row, small_world
from tests.support.web import browser

LONG = "http://demo.curate.test/" + "a-very-long-address-without-a-place-to-break" * 5

EVIL = '<img src=x onerror="window.alerted = 1"></script><script>window.alerted = 2</script>'


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of faces, products, refused addresses, and photos that were translated."""
    root = tmp_path_factory.mktemp("report")
    small_world(root)
    refused = {"status": manifest.REJECTED, "path": None, "reason": "network", "image_url": LONG}
    found = [row | {"title": EVIL} for row in manifest.read(manifest.IMAGES, root).to_pylist()]
    rows = [*found, image_row(root, None, "long", 99, **refused)]
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, rows), root)
    for number in range(2):
        photo = root / "raw/images" / f"photo{number}.png"
        made = root / before_after.TRANSLATED / "cyclegan" / f"{number}.png"
        made.parent.mkdir(parents=True, exist_ok=True)
        for path, level in ((photo, 40), (made, 200)):
            path.write_bytes(codec.encode_png(np.full((120, 90, 3), level, np.uint8)))
        notes = {"input": str(photo.relative_to(root)), "output": made.name, "direction": "a2b", "step": 7}
        made.with_suffix(".json").write_text(json.dumps(notes), "utf-8")
    return report.run(Stats(), root)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as context:
        yield context


@pytest.fixture
def page(chromium: Any, page_path: Path) -> Iterator[Any]:
    opened = chromium.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.append(message.text))
    opened.goto(page_path.as_uri())
    yield opened
    opened.close()
    assert not troubles


def split_at(slider: Any) -> int:
    return int(slider.get_attribute("aria-valuenow"))


def test_the_line_between_before_and_after_follows_the_pointer_and_the_keys(page: Any) -> None:
    slider = page.locator(".slider").first
    box = slider.bounding_box()
    assert split_at(slider) == 50
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 20)
    assert split_at(slider) == pytest.approx(20, abs=1)
    assert slider.locator(".after").evaluate("e => getComputedStyle(e).clipPath").endswith(" 20%)")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert split_at(slider) == pytest.approx(25, abs=1)
    page.keyboard.press("End")
    assert split_at(slider) == 100


def test_the_line_follows_a_finger(chromium: Any, page_path: Path) -> None:
    context = chromium.browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(page_path.as_uri())
    slider = page.locator(".slider").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.7)
    assert split_at(slider) == pytest.approx(80, abs=1)
    context.close()


def test_a_picture_opens_with_its_photo_its_face_and_the_command_that_would_change_its_fate(page: Any) -> None:
    link = page.locator("#kept a.tile").first
    link.click()
    dialog = page.locator("dialog")
    assert dialog.locator(".photo rect").count() == 1 and dialog.locator(".photo line").count() == 68
    told = dialog.inner_text()
    assert "kept" in told and "curate reject" in told and "cc0" in told
    assert dialog.get_by_role("link", name="http://demo.curate.test/long/").count() == 2, "page and address lead on"
    page.wait_for_function(
        "[...document.querySelectorAll('dialog .photo img')].every(e => e.src.includes('raw/images'))"
    )
    width = dialog.locator(".photo img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width == 96, "the photo itself, which is there, and not its copy"
    first = dialog.locator("dd").first.inner_text()
    page.keyboard.press("ArrowRight")
    assert dialog.locator("dd").first.inner_text() != first
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("dd").first.inner_text() == first
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_what_strangers_wrote_opens_as_text(page: Any) -> None:
    page.locator("#kept a.tile").first.click()
    assert page.locator("dialog h3").inner_text() == EVIL
    assert page.locator("[src='x']").count() == 0
    assert page.evaluate("window.alerted") is None


def test_a_browser_runs_no_script_but_the_page_s_own(chromium: Any, page_path: Path) -> None:
    page = chromium.new_page()
    page.goto(page_path.as_uri())
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x id=evil onerror=window.alerted=1>')")
    page.wait_for_function("document.getElementById('evil').complete")
    assert page.evaluate("window.alerted") is None
    assert page.locator("html.js").count() == 1
    page.close()


def test_before_and_after_open_large_with_their_files(page: Any) -> None:
    page.locator(".slider .open").first.click()
    dialog = page.locator("dialog")
    assert dialog.locator(".photo img").count() == 2
    assert "raw/images/photo0.png" in dialog.inner_text()
    assert "processed/translated/cyclegan/0.png" in dialog.inner_text()


def test_a_phone_shows_headings_first(chromium: Any, page_path: Path) -> None:
    page = chromium.new_page()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(page_path.as_uri())
    chart = page.locator("#measures svg").first
    assert not chart.is_visible()
    page.locator("#measures summary").first.click()
    assert chart.is_visible()
    page.close()


def test_without_script_both_pictures_stand_side_by_side(chromium: Any, page_path: Path) -> None:
    context = chromium.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_path.as_uri())
    before, after = (page.locator(f".slider .{which}").first.bounding_box() for which in ("before", "after"))
    assert before["x"] + before["width"] <= after["x"] and before["y"] == after["y"]
    assert not page.locator(".scripted").first.is_visible()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    address = page.get_by_text(LONG).first
    assert address.bounding_box()["width"] < width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_ground(page: Any, scheme: str) -> None:
    """A page that knows one scheme alone shows dark words on a dark ground in the other."""
    page.emulate_media(color_scheme=scheme)
    ink, ground = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        ".map(c => c.match(/\\d+/g).slice(0, 3).reduce((sum, n) => sum + +n, 0) / 3)"
    )
    assert (ink > 200 and ground < 60) if scheme == "dark" else (ink < 60 and ground > 200)
