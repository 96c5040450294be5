"""What is said before a scrape begins and while it runs: how much can come, and how long that takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.forecast import Forecast, announced, spoken
from tests.support.fake_apis import Notes, item, stand_in
from tests.support.http_server import Site


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CURATE_OPENVERSE_KEY", raising=False)


def said(*queries: Query, **changes: Any) -> list[str]:
    return list(announced(Scrape(**changes), queries))


LONG = Query(source="openverse", query="long hair", domain="long")


def test_the_depth_of_a_source_and_the_hours() -> None:
    assert said(*[LONG] * 14) == [
        "openverse: 14 searches, 3,360 candidates or fewer, 168 requests of 200 a day: up to 56 min"
    ]
    assert said(*[LONG] * 40)[0].endswith("9,600 candidates or fewer, 480 requests of 200 a day: up to 2.7 hours, "
                                          "over 3 days: the same command goes on each day")  # fmt: skip


def test_more_than_a_source_shows_is_said_at_once() -> None:
    first, second = said(LONG, want=5000)
    assert first.startswith("long: 5000 are wanted, but openverse shows 240 of a query at most")
    assert second.startswith("openverse: 1 search, 240 candidates")


def test_a_small_search_and_ones_own_files_need_no_words() -> None:
    assert not said(LONG, want=10)
    assert not said(Query(source="folder", input="a"), Query(source="urls", input="b"))


def test_limits_of_ones_own_and_a_key_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not said(LONG, limit=30)
    assert "60 of a query" in said(LONG, want=500, sources={"openverse": {"depth": 60}})[0]
    monkeypatch.setenv("CURATE_OPENVERSE_KEY", "a-token")
    assert "5 requests of 10000 a day" in said(LONG)[0]


@pytest.mark.parametrize(("seconds", "text"), [(1, "1 min"), (3600, "60 min"), (5400, "90 min"), (9000, "2.5 hours")])
def test_durations(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_on_the_way_it_knows_where_the_source_ends() -> None:
    line = Forecast(1000, reach=240).decided(20, 40)
    assert line is not None
    assert "about 200 more" in line
    assert "about 120 in all" in line
    assert Forecast(100, reach=240).decided(20, 40) == Forecast(100).decided(20, 40)
    assert Forecast(100, reach=240).decided(0, 40) == "none of 40 candidates accepted so far, 200 more can come"


def test_fewer_than_wanted_are_accepted_where_that_is_said_but_none_are_not(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "openverse", lambda stand: [[item(stand, n) for n in range(2)]])
    few = Query(source="openverse", query="hair", domain="long", base_url=stand.base)
    none = Query(source="openverse", query="nothing like it", domain="short", base_url=site.url("/empty"))
    site.add("/empty/v1/images/", '{"results": [], "page_count": 0, "result_count": 0}', mime="application/json")
    section, notes = Scrape(delay=0.0, want=5, queries=(few,)), Notes()
    with pytest.raises(YieldError, match="2 of 5"):
        scrape.run(section, tmp_path, allow=(site.host,))
    done = scrape.run(section, tmp_path, allow=(site.host,), accept_fewer=True, progress=notes)
    assert done.accepted == 2
    assert any("2 of 5" in line for line in notes.said)
    with pytest.raises(YieldError):
        both = Scrape(delay=0.0, want=5, queries=(few, none))
        scrape.run(both, tmp_path, allow=(site.host,), accept_fewer=True)
