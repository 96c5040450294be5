"""The review page in a real browser: by keyboard, over a reload, against strangers' words and strangers' pages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from curate.pipeline.review import routes, verdicts
from curate.pipeline.review.session import ReviewQuery, ReviewSession
from curate.pipeline.tables import decisions, manifest, placements
from tests.support import ROOT
from tests.support.tables import small_world
from tests.support.web import TOKEN, browser, served

COUNT = 300  # crops
ONE_BY_ONE = 40
HOSTILE = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as context:
        yield context


@pytest.fixture
def root(tmp_path: Path) -> Path:
    small_world(tmp_path, portraits=8)
    return tmp_path


def page_of(root: Path, by: str = "ann") -> Any:
    return served(routes.page(ReviewSession(root, by), verdicts.REASONS, TOKEN))


def opened(chromium: Any, address: str) -> Any:
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-shown]")
    return page


def current(page: Any) -> str:
    return str(page.get_attribute("body", "data-shown"))


def press(page: Any, key: str) -> None:
    """Presses a key that leads to another item, and waits for it."""
    before = current(page)
    page.keyboard.press(key)
    page.wait_for_function("before => document.body.dataset.shown !== before", arg=before)


def lines(root: Path) -> list[tuple[str, str]]:
    data = (root / decisions.FILE).read_bytes()
    return [(one.decision, one.reason) for _, _, one in decisions.parse(data) if isinstance(one, decisions.Decision)]


def left(page: Any, count: int) -> None:
    """Waits until so many are left."""
    page.wait_for_function("told => document.querySelector('#left').textContent === told", arg=f"{count} left")


def test_hundreds_of_crops_by_keyboard_with_undo_and_reload(tmp_path: Path, chromium: Any) -> None:
    small_world(tmp_path, portraits=COUNT // 2 + 3)
    with page_of(tmp_path) as address:
        page = opened(chromium, address)
        left(page, COUNT)
        for number in range(ONE_BY_ONE):
            press(page, "2" if number % 10 == 0 else "k")
        left(page, COUNT - ONE_BY_ONE)
        assert lines(tmp_path).count(("reject", verdicts.REASONS["crops"][1])) == ONE_BY_ONE // 10
        page.reload()
        page.wait_for_selector("body[data-shown]")
        for count in range(1, 4):
            page.keyboard.press("u")
            left(page, COUNT - ONE_BY_ONE + count)
        assert lines(tmp_path)[ONE_BY_ONE:] == [("undo", "")] * 3
        page.wait_for_selector("body:not([aria-busy])")
        page.keyboard.press("g")
        page.keyboard.press("Control+a")
        page.keyboard.press("k")
        left(page, 0)
        page.reload()
        page.wait_for_selector("#none:not([hidden])")
        assert "curate build" in page.inner_text("#none")
        page.close()
    decided = ReviewSession(tmp_path, "bob").counts("crops")["states"]
    rejected = ONE_BY_ONE // 10
    assert decided == {"open": 6, "kept": COUNT - rejected, "rejected": rejected, "moved": 0, "placed": 0}


def test_a_range_in_the_grid_is_decided_and_taken_back_at_once(root: Path, chromium: Any) -> None:
    with page_of(root) as address:
        page = opened(chromium, address)
        page.keyboard.press("g")
        page.click(".tile[data-at='1']")
        page.click(".tile[data-at='4']", modifiers=["Shift"])
        assert page.locator(".tile.selected").count() == 4
        page.keyboard.press("r")
        page.wait_for_function("() => document.querySelectorAll('.tile.rejected').length === 4")
        assert lines(root) == [("reject", "")] * 4
        page.keyboard.press("Control+z")
        page.wait_for_function("() => document.querySelectorAll('.tile.rejected').length === 0")
        assert not decisions.read(root)
        page.close()


def test_a_missed_face_is_placed_by_clicks_and_cut_at_once(root: Path, chromium: Any) -> None:
    images = {row["image_id"]: row for row in manifest.read(manifest.IMAGES, root).to_pylist() if row["image_id"]}
    with page_of(root) as address:
        page = opened(chromium, f"{address}#reason=no_face&domain=long")
        image = ReviewSession(root, "ann").items("crops").images[_place(root, current(page))][0]
        page.keyboard.press("f")
        page.wait_for_selector("#placing:not([hidden])")
        area = page.locator("#picture").bounding_box()
        scale = min(area["width"] / 96, area["height"] / 96)
        middle = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
        for x, y in ((60, 40), (36, 40), (48, 60)):  # the right eye first: it is seen which is which
            page.mouse.click(middle[0] + (x + 0.5 - 48) * scale, middle[1] + (y + 0.5 - 48) * scale)
        page.wait_for_selector("#placing img")
        assert not (root / placements.FILE).exists(), "it is asked first"
        page.keyboard.press("Enter")
        page.wait_for_selector("#none:not([hidden]), #stamp.placed")
        (face,) = placements.read(root)[image]
        assert face.points == pytest.approx((36, 40, 60, 40, 48, 60), abs=0.6) and face.by == "ann"
        assert images[image]["width"] == 96
        page.wait_for_selector("body:not([aria-busy])")
        page.keyboard.press("u")
        left(page, 1)
        assert not placements.read(root) and not (root / decisions.FILE).exists()
        page.close()


def _place(root: Path, name: str) -> int:
    return ReviewSession(root, "ann").items("crops").places[name]


def test_what_strangers_wrote_is_text(root: Path, chromium: Any) -> None:
    images = manifest.read(manifest.IMAGES, root).to_pylist()
    for row in images:
        row |= {"title": HOSTILE, "creator": HOSTILE, "page_url": "javascript:document.title='pwned'"}
    manifest.write(manifest.IMAGES, manifest.from_rows(manifest.IMAGES, images), root)
    crops = [row | {"domain": HOSTILE} for row in manifest.read(manifest.CROPS, root).to_pylist()]
    manifest.write(manifest.CROPS, manifest.from_rows(manifest.CROPS, crops), root)
    with page_of(root, by=HOSTILE) as address:
        page = opened(chromium, address)
        press(page, "k")
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector("#stamp.kept")
        assert page.inner_text("#facts").count("<script>") >= 3
        assert page.locator("#facts a").count() == 0 and page.locator("script").count() == 1
        assert page.title() == "curate review"
        page.close()


def test_no_other_page_and_no_other_name_decides_anything(root: Path) -> None:
    with page_of(root) as address:
        ids = requests.get(f"{address}view").json()["ids"]
        wish = {"ids": ids[:1], "decision": "reject"}
        host = address.split("/")[2]
        for headers in ({}, {"Origin": "http://evil.test"}, {"Origin": "http://evil.test", "Host": "evil.test"}):
            assert requests.post(f"{address}decide/crops", json=wish, headers=headers).status_code == 403
        bare = {"Origin": f"http://{host}"}
        assert requests.post(f"http://{host}/decide/crops", json=wish, headers=bare).status_code == 403
        assert not (root / decisions.FILE).exists()
        for wrong in ({"ids": []}, wish | {"decision": "undo"}, wish | {"ids": [{}]}, wish | {"reason": "x" * 999}):
            assert requests.post(f"{address}decide/crops", json=wrong, headers=bare).status_code == 422
        assert requests.post(f"{address}decide/crops", json=wish | {"ids": ["../x"]}, headers=bare).status_code == 400
        assert requests.post(f"{address}decide/crops", json=wish, headers=bare).status_code == 200
        assert lines(root) == [("reject", "")]


def test_a_killed_server_loses_nothing_and_the_page_says_so(root: Path, chromium: Any) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "curate", "review", "--root", str(root), "--by", "ann", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        page = opened(chromium, process.stdout.readline().split()[1])
        press(page, "k")
        press(page, "1")
        process.kill()
        process.wait()
        page.keyboard.press("k")
        page.wait_for_selector("#said.wrong")
        assert "nobody answers" in page.inner_text("#said")
        page.close()
    assert lines(root) == [("keep", ""), ("reject", verdicts.REASONS["crops"][0])]


def test_two_pages_at_once_lose_no_line(root: Path) -> None:
    ann, bob = ReviewSession(root, "ann"), ReviewSession(root, "bob")
    names = ann.view(ReviewQuery(reason="ok"))[0]

    def decide(session: ReviewSession) -> None:
        for number in range(40):
            session.decide("crops", [names[number % len(names)]], "reject" if number % 3 else "keep")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decide, [ann, ann, bob, bob]))
    assert len(lines(root)) == len((root / decisions.FILE).read_bytes().splitlines()) == 160
    assert ann.view(ReviewQuery())[1] == bob.view(ReviewQuery())[1]


@pytest.mark.parametrize("bytes_", [b"<script>alert(1)</script>", b"\x89PNG\r\n\x1a\n and no more"])
def test_a_crop_that_is_no_picture_is_told(root: Path, bytes_: bytes) -> None:
    row = manifest.accepted(manifest.read(manifest.CROPS, root)).to_pylist()[0]
    (root / row["path"]).write_bytes(bytes_)
    with page_of(root) as address:
        found = requests.get(f"{address}picture/crops/{row['crop_id']}/crop")
    assert found.status_code >= 400 and "unreadable" in found.json()["error"]


def test_pictures_are_made_here_and_never_passed_on_as_they_came(root: Path) -> None:
    with page_of(root) as address:
        session = ReviewSession(root, "ann")
        own = session.items("crops")
        for place, name in enumerate(own.ids):
            found = requests.get(f"{address}picture/crops/{name}/crop")
            assert found.content.startswith(b"\x89PNG") and found.headers["Content-Type"] == "image/png"
            photo = requests.get(f"{address}photo/{own.images[place][0]}")
            assert photo.content.startswith(b"\xff\xd8") and photo.headers["Content-Type"] == "image/jpeg"
        facts = requests.get(f"{address}facts/crops", params={"ids": own.ids[:3].tolist()}).json()
        assert [one["id"] for one in facts] == own.ids[:3].tolist() and facts[0]["photos"][0]["width"] == 96
        assert requests.get(f"{address}photo/..%2F..%2Fetc%2Fpasswd").status_code in {400, 404}
        assert requests.get(f"{address}picture/pairs/x/crop").json()["error"].startswith("there are no 'pairs'")
