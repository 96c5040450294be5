from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import resources
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from bs4 import BeautifulSoup

from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.items import CATEGORIES
from curate.pipeline.demo.server import Served, serve
from curate.pipeline.demo.world import HOST
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import html
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.web.reply import Response


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve(Demo(seed=5, portraits=14, anime=3, icons=3, garments=3)) as site:
        yield site


def soup(served: Served, path: str) -> BeautifulSoup:
    answer = requests.get(served.url + path, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return BeautifulSoup(answer.text, "lxml")


def test_every_page_is_reached_from_the_index_and_links_nowhere_else(served: Served) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        page = soup(served, path)
        assert len(page.find_all("h1")) == 1
        assert all(image.has_attr("alt") for image in page.find_all("img"))
        for link in page.find_all("a"):
            if link.get("rel") == ["license"]:
                continue
            assert not urlsplit(link["href"]).netloc, "a link that holds only under one host name"
            waiting.append(urljoin(path, link["href"]))
    assert {page.path for page in served.world.pages} <= seen
    assert {f"/{name}" for name in CATEGORIES} <= seen
    assert "/portraits/long?page=2" in seen


def test_a_listing_shows_each_page_once(served: Served) -> None:
    for name in CATEGORIES:
        shown: list[str] = []
        path: str | None = f"/{name}?page=1"
        while path:
            page = soup(served, path)
            shown += [card["href"] for card in page.select("ul.items a.card")]
            following = page.select_one("a[rel=next]")
            path = urljoin(path, following["href"]) if following else None
        assert shown == [page.path for page in served.world.category(name)]


@pytest.mark.parametrize("path", ["/portraits/long?page=99", "/portraits/long?page=0", "/portraits/long?page=x", "/no"])
def test_what_is_not_there_is_a_404(served: Served, path: str) -> None:
    assert requests.get(served.url + path, timeout=10).status_code == 404


def test_robots_forbids_what_one_listing_links_to(served: Served) -> None:
    rules = requests.get(f"{served.url}/robots.txt", timeout=10).text
    assert "Disallow: /private/" in rules
    closed = [page for page in served.world.pages if not page.allowed]
    assert [page.path for page in closed] == ["/private/portraits/long/members"]


def test_a_page_states_title_creator_and_licence(served: Served) -> None:
    record = served.world.category("portraits/short")[0]
    html = soup(served, record.path)
    assert html.h1 and html.h1.text == record.title
    assert html.select_one(".creator").text == record.creator  # type: ignore[union-attr]
    assert html.select_one("a[rel=license]")["href"] == record.license_url  # type: ignore[index]


def test_refusals_are_said_in_page_and_header(served: Served) -> None:
    shy = next(page for page in served.world.pages if page.noai)
    assert "noai" in soup(served, shy.path).select_one("meta[name=robots]")["content"]  # type: ignore[index]
    stamped = next(p for p in served.world.pictures.values() if p.noai)
    assert "noai" in requests.get(served.url + stamped.path, timeout=10).headers["X-Robots-Tag"]


def test_pictures_come_as_the_world_encodes_them_over_one_connection(served: Served) -> None:
    picture = served.world.pictures["portraits/long/0000"]
    connection = http.client.HTTPConnection(*served.dial[HOST], timeout=10)
    for method in ("GET", "HEAD", "GET"):
        connection.request(method, picture.path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.version == 11
        assert answer.getheader("Content-Type") == picture.mime
        assert int(answer.getheader("Content-Length") or 0) == len(served.world.encoded(picture))
        assert body == (b"" if method == "HEAD" else served.world.encoded(picture))
        assert connection.sock is not None, "the connection was closed"
    connection.close()


def test_a_conditional_request_gets_304(served: Served) -> None:
    for path in ("/portraits/long", served.world.pictures["portraits/long/0000"].path):
        first = requests.get(served.url + path, timeout=10)
        for known in (
            {"If-None-Match": first.headers["ETag"]},
            {"If-None-Match": f'"other", W/{first.headers["ETag"]}'},
            {"If-Modified-Since": first.headers["Last-Modified"]},
        ):
            again = requests.get(served.url + path, headers=known, timeout=10)
            assert (again.status_code, again.content) == (304, b"")
        changed = {"If-None-Match": '"other"', "If-Modified-Since": first.headers["Last-Modified"]}
        assert requests.get(served.url + path, headers=changed, timeout=10).status_code == 200


def test_requests_are_kept() -> None:
    with serve(Demo(portraits=1, anime=0, icons=0, garments=0)) as site:
        requests.get(f"{site.url}/anime?page=1", headers={"User-Agent": "curate/9 (+me@example.org)"}, timeout=10)
        assert [(r.path, r.agent) for r in site.requests] == [("/anime?page=1", "curate/9 (+me@example.org)")]
    with pytest.raises(requests.ConnectionError):
        requests.get(site.url, timeout=10)


def test_a_client_that_hangs_up_is_no_noise(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        with socket.create_connection(served.dial[HOST]) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends a reset
            client.sendall(b"GET / HTTP/1.1\r\n")
    assert requests.get(served.url, timeout=10).status_code == 200
    assert capfd.readouterr().err == ""


class Reader:
    """What the html source is lent: pages, read straight from the running site."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        parts = urlsplit(url)
        assert parts.hostname == HOST
        answer = requests.get(f"{self._served.url}{parts.path}?{parts.query}", timeout=10)
        mime = answer.headers["Content-Type"]
        return Response(url, answer.status_code, answer.content, mime, None, None, None, datetime.now(UTC))

    def answer(self, url: str) -> Response:
        raise AssertionError(url)

    def space(self, host: str, delay: float) -> None:
        assert (host, delay) == (HOST, 0)

    def note(self, text: str) -> None:
        raise AssertionError(text)


def walk(served: Served, query: str) -> list[Candidate]:
    name = "shop.yaml" if query == "garments" else "site.yaml"
    site = str(resources.files("curate.pipeline.demo") / name)
    return list(html.search(Query(source="html", site=site, query=query), Reader(served)))


@pytest.mark.parametrize("query", ["portraits/long", "portraits/short", "anime", "icons"])
def test_the_site_file_finds_every_picture_with_its_licence(served: Served, query: str) -> None:
    pages = served.world.category(query)
    found = walk(served, query)
    assert [c.image_url for c in found] == [f"http://{HOST}{page.pictures[0].path}" for page in pages]
    assert [c.title for c in found] == [page.title for page in pages]
    assert [c.creator for c in found] == [page.creator for page in pages]
    assert [c.license_url for c in found] == [page.license_url for page in pages]
    assert [c.refused for c in found] == ["optout_meta" if page.noai else None for page in pages]
    assert {c.role for c in found} == {None}


def test_the_shop_file_finds_articles_and_who_wears_them(served: Served) -> None:
    found = walk(served, "garments")
    truth = {f"http://{HOST}{p.path}": (page, p) for page in served.world.category("garments") for p in page.pictures}
    assert {c.image_url for c in found} == set(truth)
    for candidate in found:
        page, picture = truth[candidate.image_url or ""]
        assert candidate.role == picture.role
        excluded = "excluded" if page.title.startswith("Kids") else None
        assert candidate.refused == (excluded or ("incomplete" if len(page.pictures) == 1 else None))
    groups = {c.group_id for c in found}
    assert len(groups) == len(served.world.category("garments"))
