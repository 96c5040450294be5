"""Sites that do not grant training: what becomes a row, and what is not asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from tests.pipeline.scrape.test_stage import html_site, rows, scraped, section
from tests.support.http_server import Site, photo

FREE = '<rsl><content url="/"><license><permits type="usage">ai-train</permits></license></content></rsl>'
SEARCH = FREE.replace("ai-train", "search")


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no", "optout_signal"),
        ("User-agent: *\nContent-Usage: /shop/ train-ai=n", "ok"),
        ("User-agent: img2dataset\nDisallow: /", "optout_signal"),
        ("User-agent: GPTBot\nDisallow: /", "ok"),
    ],
)
def test_robots_txt(site: Site, tmp_path: Path, robots: str, reason: str) -> None:
    site.add("/robots.txt", robots, mime="text/plain")
    url = site.add("/a.jpg", photo())
    for _ in range(2):  # the second time from what was kept
        assert scraped(site, tmp_path, [url])["/a.jpg"]["reason"] == reason
    assert site.counts()["/a.jpg"] == (reason == "ok")
    assert site.counts()["/robots.txt"] == 1


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Content_Signal": "ai-train=no"}, "optout_signal"),
        ({"Content_Usage": "train-ai=n"}, "optout_signal"),
        ({"Link": '</rsl.xml>; rel="license"; type="application/rsl+xml"'}, "optout_signal"),
        ({"Content_Signal": "search=no, ai-train=yes", "Link": '</cc>; rel="license"'}, "ok"),
    ],
)
def test_headers(site: Site, tmp_path: Path, headers: dict[str, str], reason: str) -> None:
    row = scraped(site, tmp_path, [site.add("/a.jpg", photo(), **headers)])["/a.jpg"]
    assert (row["reason"], row["path"] is None) == (reason, reason != "ok")


@pytest.mark.parametrize(("body", "reason"), [(FREE, "ok"), (SEARCH, "optout_signal"), (None, "optout_signal")])
def test_a_licence_that_robots_txt_names_is_read(site: Site, tmp_path: Path, body: str | None, reason: str) -> None:
    site.add("/robots.txt", f"License: {site.url('/rsl.xml')}", mime="text/plain")
    if body is not None:
        site.add("/rsl.xml", body, mime="application/rsl+xml")
    link = '</rsl.xml>; rel="license"; type="application/rsl+xml"'
    urls = [site.add("/a.jpg", photo(), Link=link), site.add("/b.jpg", photo(2))]
    assert {row["reason"] for row in scraped(site, tmp_path, urls).values()} == {reason}
    scraped(site, tmp_path, [*urls, site.add("/c.jpg", photo(3))])
    assert site.counts()["/rsl.xml"] == 1


@pytest.mark.parametrize(("body", "reason"), [(FREE, "ok"), (SEARCH, "optout_signal"), (None, "optout_signal")])
def test_a_licence_that_a_page_names_is_read(site: Site, tmp_path: Path, body: str | None, reason: str) -> None:
    query = html_site(site, tmp_path)
    page = '<head><link rel="license" type="application/rsl+xml" href="/rsl.xml"></head><h1>X</h1><img src="/0.jpg">'
    site.page("/item/0", page)
    if body is not None:
        site.add("/rsl.xml", body, mime="application/rsl+xml")
    assert _reasons(site, tmp_path, query) == [reason, "ok", "ok", "ok"]
    assert site.counts()["/0.jpg"] == (reason == "ok")


def test_a_page_that_reserves_training_by_a_header_gives_no_pictures(site: Site, tmp_path: Path) -> None:
    query = html_site(site, tmp_path)
    page = b'<h1>X</h1><img src="/0.jpg">'
    site.add("/item/0", page, mime="text/html", Content_Usage="train-ai=n")
    assert _reasons(site, tmp_path, query) == ["optout_signal", "ok", "ok", "ok"]


def _reasons(site: Site, root: Path, query: Query) -> list[Any]:
    scrape.run(section(query), root, allow=(site.host,))
    return [row["reason"] for row in rows(root)]
