"""No network, and sources that answer nobody without a contact: said in a line, and no row is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.cli.console import Console
from curate.pipeline.core.errors import BlockedError, UsageError, YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.plan import demanding
from curate.pipeline.scrape.sources.openverse import FACTS
from curate.pipeline.tables import manifest
from tests.support.fake_apis import Notes, Stand, item, rows, stand_in
from tests.support.http_server import Site, photo

NOWHERE = "http://api.openverse.invalid"  # a name that is never resolved


def section(*queries: Query, **changes: Any) -> Scrape:
    return Scrape(**{"delay": 0.0, "allow_unknown_license": True, "queries": queries, **changes})


def folder(root: Path) -> Query:
    (root / "mine").mkdir(exist_ok=True)
    (root / "mine/a.jpg").write_bytes(photo(77))
    return Query(source="folder", input="mine", domain="mine")


def test_it_is_said_in_a_line_and_no_table_is_written(tmp_path: Path) -> None:
    queries = [Query(source="openverse", query=text, base_url=NOWHERE) for text in ("髪", "hair")]
    with pytest.raises(BlockedError) as raised:
        scrape.run(section(*queries), tmp_path)
    assert raised.value.message == "openverse: no network (api.openverse.invalid cannot be found)"
    assert not manifest.IMAGES.path(tmp_path).exists()


def test_a_site_and_a_server_that_are_not_there_are_told_apart(site: Site, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(
        "name: shop\nstart: [http://shop.invalid/]\nlisting: {item: a}\nitem: {images: [{role: article, css: img}]}\n"
        "terms_checked: 2026-11-01\n"
    )
    with pytest.raises(BlockedError) as raised:
        scrape.run(section(Query(source="html", site="shop.yaml", domain="shop")), tmp_path)
    assert raised.value.message == "html: no network, or no such host: shop.invalid cannot be found"
    closed = Query(source="openverse", query="hair", base_url="http://api.test")
    with pytest.raises(BlockedError) as raised:
        scrape.run(section(closed, tries=1), tmp_path / "b", dial={"api.test": ("127.0.0.1", 9)})
    assert raised.value.message == "openverse: api.test refuses connections"


def test_no_request_of_the_day_is_spent_on_nothing(tmp_path: Path) -> None:
    query = Query(source="openverse", query="髪", base_url=NOWHERE)
    for _ in range(2):
        with pytest.raises(BlockedError):
            scrape.run(section(query, sources={"openverse": {"daily": 1}}), tmp_path)
    assert FACTS.limits.daily is not None


def found_before(site: Site, root: Path, **changes: Any) -> tuple[Stand, list[dict[str, Any]]]:
    """What a search gave while there was a network, which is then gone."""
    stand = stand_in(site, "openverse", lambda stand: [[item(stand, n) for n in range(3)]])
    query = Query(source="openverse", query="hair", base_url=stand.base)
    scrape.run(section(query, **changes), root, allow=(site.host,))
    before = rows(root)
    assert len(before) == 3
    stand.also(stand.path, _hanging)
    return stand, before


def _hanging(params: Any) -> Any:
    raise ConnectionResetError


@pytest.mark.parametrize("changes", [{"want": 9}, {"want": 3}])
def test_a_table_keeps_its_rows_when_its_search_cannot_be_asked_again(
    site: Site, tmp_path: Path, changes: dict[str, Any]
) -> None:
    stand, before = found_before(site, tmp_path, limit=3)
    query = Query(source="openverse", query="hair", base_url=stand.base)
    with pytest.raises(BlockedError):
        scrape.run(section(query, folder(tmp_path), tries=1, **changes), tmp_path, allow=(site.host,))
    assert [row for row in rows(tmp_path) if row["domain"] == "hair"] == before
    assert len(rows(tmp_path)) == 4  # what is on this machine comes all the same


def test_a_search_that_breaks_off_keeps_what_an_earlier_run_found(site: Site, tmp_path: Path) -> None:
    stand = stand_in(site, "openverse", lambda stand: [[item(stand, 1)], [item(stand, 2)], [item(stand, 3)]])
    query = Query(source="openverse", query="hair", base_url=stand.base)
    whole = site.routes[f"/openverse{stand.path}"]

    def last_page_fails(params: Any) -> Any:
        if params["page"] == "3":
            raise ConnectionResetError
        return stand.pages(params)

    stand.also(stand.path, last_page_fails)
    settings = section(query, tries=1)
    with pytest.raises(BlockedError):
        scrape.run(settings, tmp_path, allow=(site.host,))
    before = rows(tmp_path)
    assert len(before) == 2
    for page in (tmp_path / "raw/.pages").rglob("*"):  # as a day later, when the answers that are kept are stale
        if page.is_file():
            page.unlink()
    stand.also(stand.path, _hanging)
    with pytest.raises(BlockedError):
        scrape.run(settings, tmp_path, allow=(site.host,))
    assert rows(tmp_path) == before
    site.routes[f"/openverse{stand.path}"] = whole
    scrape.run(settings, tmp_path, allow=(site.host,))
    assert len(rows(tmp_path)) == 3


def test_a_source_that_demands_a_contact_is_skipped_with_a_line(tmp_path: Path) -> None:
    notes = Notes()
    scrape.run(section(Query(source="commons", query="髪"), folder(tmp_path)), tmp_path, progress=notes)
    assert [row["domain"] for row in rows(tmp_path)] == ["mine"]
    assert [line for line in notes.said if line.startswith("skipped: commons:") and "--contact" in line]
    with pytest.raises(UsageError, match=r"commons: .*contact"):
        scrape.run(section(Query(source="commons", query="髪")), tmp_path / "alone")


def test_pictures_of_a_site_that_demands_one_come_once_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("http://upload.wikimedia.org/a.jpg")
    query, notes = Query(source="urls", input="list.txt", domain="a"), Notes()
    with pytest.raises(YieldError) as raised:
        scrape.run(section(query), tmp_path, progress=notes)
    assert "--contact" in raised.value.hint
    assert [row["reason"] for row in rows(tmp_path)] == ["no_contact"]
    assert any("1 pictures are on sites that want to know who asks" in line for line in notes.said)
    nowhere = {"upload.wikimedia.org": ("127.0.0.1", 9)}  # nobody is there
    with pytest.raises(YieldError):
        scrape.run(section(query, contact="hanako@mine.dev", tries=1), tmp_path, dial=nowhere)
    assert [row["reason"] for row in rows(tmp_path)] == ["robots_unreachable"]


def test_which_sources_are_worth_a_question() -> None:
    asked = section(Query(source="openverse", query="a"), Query(source="commons", query="a"), Query(source="folder"))
    assert demanding(asked) == ["commons"]
    assert demanding(section(Query(source="commons", query="a", base_url="http://127.0.0.1:1"))) == []


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    assert Console().ask("Who?") is None
