"""Pages that are kept while a search is under way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from curate.pipeline.scrape.web.client import HttpClient
from curate.pipeline.scrape.web.page_cache import FRESH, StoredPages
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions


class Counting:
    """Stands in for the layer: remembers what it was asked."""

    def __init__(self, age: timedelta) -> None:
        self.asked: list[str] = []
        self._age = age

    def answer(self, url: str, options: RequestOptions = PLAIN) -> Response:
        self.asked.append(options.address(url))
        return Response(url, 200, b"{}", "", None, None, None, datetime.now(UTC) - self._age)


def pages(root: Path, client: Any) -> StoredPages:
    return StoredPages(lambda: cast(HttpClient, client), root / "raw/.pages/key", lambda text: None, {}, {})


@pytest.mark.parametrize(("age", "times"), [(timedelta(), 1), (FRESH, 2)])
def test_an_answer_is_kept_for_a_day(tmp_path: Path, age: timedelta, times: int) -> None:
    client = Counting(age)
    for _ in range(2):
        pages(tmp_path, client).answer("http://x.example/a", RequestOptions(params={"key": "sesame"}))
    assert client.asked == ["http://x.example/a?key=sesame"] * times
    assert b"sesame" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_an_odd_answer_is_put_aside_and_asked_for_again(tmp_path: Path) -> None:
    client = Counting(timedelta())
    stored = pages(tmp_path, client)
    stored.answer("http://x.example/a")
    where = stored.set_aside("commons", "http://x.example/a", b"<html>")
    assert (tmp_path / where).read_bytes() == b"<html>"
    stored.answer("http://x.example/a")
    assert len(client.asked) == 2


def test_a_finished_search_keeps_no_pages(tmp_path: Path) -> None:
    stored = pages(tmp_path, Counting(timedelta()))
    stored.answer("http://x.example/a")
    stored.forget()
    assert not (tmp_path / "raw/.pages/key").exists()
