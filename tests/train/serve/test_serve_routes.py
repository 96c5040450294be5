"""What the page's server takes and refuses, and the command that starts it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests

from curate.pipeline.core.config import Params
from curate.pipeline.core.errors import UsageError
from curate.pipeline.demo import samples
from curate.pipeline.imaging import codec
from curate.pipeline.web import loopback
from curate.train.runs.config import read
from curate.train.runs.find import translating_runs
from curate.train.serve import routes, translation
from curate.train.serve.turnstile import CrowdedError, Turnstile
from curate.train.serve.ways import Ways
from curate.train.translate.translator import Translator
from curate.train.weights import exchange
from tests.support import drawn_people, onnx_painter
from tests.support.command import curate
from tests.support.painter import painter
from tests.support.web import TOKEN, served
from tests.train.translate.test_try_on import painted_try_on


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    turning = painter(align="box", rotate=45.0)
    with served(routes.page(Ways([painter(), replace(turning, source="icons")]), TOKEN)) as address:
        yield address


def post(page: str, path: str, data: bytes, **query: object) -> requests.Response:
    headers = {"Origin": f"http://{urlsplit(page).netloc}"}
    return requests.post(page + path, data, params={"way": 0, **query}, headers=headers)  # type: ignore[arg-type]


def test_what_the_page_is_told(page: str) -> None:
    told = requests.get(f"{page}start").json()
    assert [way["name"] for way in told["ways"]] == ["painter", "icons"]
    assert told["ways"][0] | {"source": "long", "target": "short", "direction": "a2b", "members": 0} == told["ways"][0]
    assert told["limits"] == {"bytes": translation.MOST_BYTES, "megapixels": 50}
    assert "camera=(self)" in requests.get(page).headers["Permissions-Policy"]


def test_equal_photos_give_equal_files_and_turned_faces_a_picture_of_their_own(page: str) -> None:
    photo = codec.encode_png(drawn_people.photo(1))
    first, again = (post(page, "picture/png", photo) for _ in range(2))
    assert first.content == again.content and first.headers["Content-Type"] == "image/png"
    face = codec.decode(post(page, "picture/png", photo, way=1).content)
    assert face.shape == (64, 64, 3)
    told = post(page, "translate", photo, way=1).json()
    assert (told["width"], told["height"], told["faces"]) == (64, 64, [])


@pytest.mark.parametrize(
    ("path", "data", "query", "message"),
    [
        ("translate", b"", {}, "no photo that can be read"),
        ("translate", b"<svg onload=alert(1)>", {}, "no photo that can be read"),
        ("translate", codec.encode_png(np.zeros((9, 9, 3), np.uint8)), {"way": 9}, "way 9: there are 2"),
        ("picture/png", codec.encode_png(np.zeros((9, 9, 3), np.uint8)), {"member": 1}, "member 1: there are 0"),
        ("picture/exe", b"", {}, "malformed request"),
        ("translate", b"", {"way": -1}, "malformed request"),
    ],
)
def test_bad_requests_are_refused_in_words(
    page: str, path: str, data: bytes, query: dict[str, object], message: str
) -> None:
    answer = post(page, path, data, **query)
    assert answer.status_code in {400, 422} and message in answer.json()["error"]


def test_photos_have_limits(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert post(page, "translate", b"x" * (translation.MOST_BYTES + 1)).status_code == 413
    monkeypatch.setattr(translation, "MOST_PIXELS", 300 * 300 - 1)
    answer = post(page, "translate", codec.encode_png(drawn_people.photo(1)))
    assert answer.status_code == 400 and "too large" in answer.json()["error"]


def test_one_translates_and_few_wait() -> None:
    turnstile, inside, go = Turnstile(at_once=2), threading.Event(), threading.Event()

    def first() -> None:
        with turnstile.turn():
            inside.set()
            go.wait(10)

    def second() -> None:
        with turnstile.turn():
            came.append(go.is_set())

    came: list[bool] = []
    threads = [threading.Thread(target=first)]
    threads[0].start()
    assert inside.wait(10)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    while turnstile._inside < 2:
        pass
    with pytest.raises(CrowdedError, match="2 photos"), turnstile.turn():
        pytest.fail("let in")
    go.set()
    for thread in threads:
        thread.join(10)
    assert came == [True], "the second waited for the first"


def test_a_minute_has_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    turnstile = Turnstile(a_minute=2, clock=lambda: now[0])
    for _ in range(2):
        with turnstile.turn():
            pass
    with pytest.raises(CrowdedError, match="2 photos came"), turnstile.turn():
        pytest.fail("let in")
    now[0] = 60.0
    with turnstile.turn():
        pass
    with served(routes.page(Ways([painter()]), TOKEN, turnstile=Turnstile(a_minute=0))) as address:
        answer = post(address, "translate", b"")
        assert answer.status_code == 429 and answer.headers["Retry-After"] == "10"


def test_the_picture_of_an_article_follows_the_photo() -> None:
    try_on, _ = painted_try_on()
    photo, blue = codec.encode_png(drawn_people.photo(1)), np.full((40, 30, 3), (10, 20, 240), np.uint8)
    article = codec.encode_png(blue)
    with served(routes.page(Ways([try_on.trained]), TOKEN)) as address:
        assert requests.get(f"{address}start").json()["ways"][0]["wears"] is True
        answer = post(address, "picture/png", photo + article, article=len(article))
        made = codec.decode(answer.content)
        assert made.shape == (300, 300, 3) and np.abs(made[150, 40].astype(int) - blue[0, 0]).max() < 30
        assert np.array_equal(made[:, 200:], drawn_people.photo(1)[:, 200:])
        for size in (0, len(photo), 10**6):
            assert "no picture of an article" in post(address, "translate", photo, article=size).json()["error"]
        assert "no photo that can be read" in post(address, "translate", photo + article, article=3).json()["error"]


def test_an_onnx_file_is_served_too(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from curate.train.translate import onnx_networks

    ways = Ways([onnx_networks.load(onnx_painter.write(tmp_path / "a2b.onnx"))])
    made = translation.translated(ways, codec.encode_png(drawn_people.photo(1)), translation.Wish(0))
    assert made.faces and (made.after.shown != made.before.shown).any()


def test_the_networks_of_the_demo_find_the_face_of_each_sample() -> None:
    networks, _ = exchange.load([Path("drawn-hair")], device="cpu")
    drawn = samples.draw()
    assert list(drawn) == ["long-1", "long-2", "short-1", "short-2"]
    for name, data in drawn.items():
        way = "a2b" if name.startswith("long") else "b2a"
        (face,) = Translator(networks, way)(codec.decode(data))
        assert face.made is not None, name


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[Any] = []

    def run(page: Any, listening: Any, ready: Any) -> None:
        ready()
        listening.close()
        pages.append(page)

    monkeypatch.setattr(loopback, "run", run)
    told = curate("serve", "--demo", "--port", "0", "--device", "cpu").stdout
    assert "long to short (drawn-hair), short to long (drawn-hair)" in told
    assert "serve: http://127.0.0.1:" in told and len(pages) == 1
    assert "leave one of them out" in curate("serve", "--demo", "drawn-hair", code=2).stderr
    assert "curate serve --demo" in curate("serve", "--root", tmp_path, code=2).stderr


def test_all_runs_that_translate_are_served(tmp_path: Path) -> None:
    for name, recipe in {"mine": "cyclegan", "dressed": "cagan", "noise": "stylegan2", "begun": "cyclegan"}.items():
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        config = read(Params({"train": {recipe: {}}}, None), recipe, {})
        (folder / "config.json").write_text(json.dumps({**config.as_dict(), "dataset": {}, "crop": {}}))
        if name != "begun":
            (folder / "checkpoints" / "00000001.safetensors").write_bytes(b"")
    assert translating_runs(tmp_path) == [tmp_path / "dressed", tmp_path / "mine"]
    with pytest.raises(UsageError, match="no run that translates photos"):
        translating_runs(tmp_path / "mine")
