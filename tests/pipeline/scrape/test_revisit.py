"""What a later run asks for once more: changed images, failures, what origins say about themselves."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import UsageError, YieldError
from curate.pipeline.scrape import forget
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.revisit import NOTHING, Revisit, retried
from curate.pipeline.tables import manifest
from tests.pipeline.scrape.test_stage import html_site, listed, rows, section
from tests.support.http_server import Site, photo

REFRESH = Revisit(refresh=True)


def run(site: Site, root: Path, urls: list[str], revisit: Revisit = NOTHING) -> dict[str, dict[str, Any]]:
    """The rows by path, of a scrape in which the server's record starts anew."""
    site.requests.clear()
    with contextlib.suppress(YieldError):  # where nothing is accepted
        scrape.run(section(listed(root, urls)), root, allow=(site.host,), revisit=revisit)
    return {str(row["image_url"]).removeprefix(site.url("")): row for row in rows(root)}


def validated(site: Site, path: str, body: bytes, **validators: str) -> str:
    """Serves `body` with ETag or Last-Modified, and 304 to a request that quotes them."""
    plain = site.add(path, body, **validators)
    whole = site.routes[path]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        quoted = {handler.headers.get("If-None-Match"), handler.headers.get("If-Modified-Since")}
        if quoted & set(validators.values()):
            handler.send_response(304)
            handler.end_headers()
        else:
            whole(handler)

    site.route(path, answer)
    return plain


def conditional(site: Site) -> bool:
    return all({"If-None-Match", "If-Modified-Since"} & set(request.headers) for request in site.requests)


def test_refresh_asks_conditionally_and_for_nothing_else(site: Site, tmp_path: Path) -> None:
    urls = [
        validated(site, "/etag.jpg", photo(1), ETag='W/"v1"'),
        validated(site, "/dated.jpg", photo(2), Last_Modified="Mon, 02 Nov 2026 10:00:00 GMT"),
        site.add("/plain.jpg", photo(3)),
        site.add("/leaves.jpg", photo(4), ETag='"x"'),
        site.add("/changes.jpg", photo(5), ETag='"y"'),
        site.add("/refuses.jpg", photo(6)),
        site.add("/fails.jpg", photo(7)),
        site.add("/page.jpg", photo(8)),
        site.url("/never.jpg"),
    ]
    first = run(site, tmp_path, urls)
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "raw/images").rglob("*.jpg")}

    site.add("/leaves.jpg", status=404)
    site.add("/changes.jpg", photo(9), ETag='"z"')
    site.add("/refuses.jpg", photo(6), X_Robots_Tag="noai")
    site.add("/fails.jpg", status=500)
    site.add("/page.jpg", "<!doctype html>sorry", mime="text/html")
    second = run(site, tmp_path, urls, REFRESH)
    assert conditional(site)
    asked = {request.path: request.headers for request in site.requests}
    assert asked["/etag.jpg"]["If-None-Match"] == 'W/"v1"'
    assert asked["/dated.jpg"]["If-Modified-Since"] == "Mon, 02 Nov 2026 10:00:00 GMT"
    assert set(asked) == set(first) - {"/never.jpg"}

    for path in ("/etag.jpg", "/dated.jpg", "/plain.jpg", "/leaves.jpg", "/fails.jpg", "/page.jpg"):
        assert (second[path]["reason"], second[path]["image_id"]) == ("ok", first[path]["image_id"]), path
    assert json.loads(second["/leaves.jpg"]["extra"])["gone"] is True
    assert "checked_at" in json.loads(second["/etag.jpg"]["extra"])
    assert "checked_at" not in json.loads(second["/fails.jpg"]["extra"])
    assert second["/changes.jpg"]["image_id"] != first["/changes.jpg"]["image_id"]
    assert (tmp_path / second["/changes.jpg"]["path"]).read_bytes() == photo(9)
    assert (second["/refuses.jpg"]["reason"], second["/refuses.jpg"]["path"]) == ("optout_header", None)
    assert all(path.stat().st_mtime_ns == time for path, time in stored.items()), "no stored byte is written again"

    assert run(site, tmp_path, urls) == second
    assert not site.requests


def test_refresh_asks_pages_whether_they_have_changed(site: Site, tmp_path: Path) -> None:
    query = html_site(site, tmp_path)
    later = '<a class="card" href="/item/{}">x</a>'
    validated(site, "/item/2", b'<h1>Item 2</h1><img src="/2.jpg">' + FREE, ETag='"v1"')

    def scraped(revisit: Revisit = NOTHING) -> dict[str, str]:
        site.requests.clear()
        scrape.run(section(query), tmp_path, allow=(site.host,), revisit=revisit)
        return {row["image_url"].removeprefix(site.url("")): row["reason"] for row in rows(tmp_path)}

    first = scraped()
    assert list(first) == [f"/{n}.jpg" for n in range(4)]
    assert scraped(REFRESH) == first
    assert conditional(site)
    assert set(site.counts().values()) == {1}
    assert {"/items?p=1", "/items?p=2", "/item/0", "/0.jpg"} <= set(site.counts())

    site.page("/items?p=1", later.format(9) + later.format(1))  # one item more, one less, and no second page
    site.page("/item/9", '<h1>Item 9</h1><img src="/9.jpg">' + FREE.decode())
    site.add("/9.jpg", photo(9))
    assert scraped() == first and not site.requests, "nobody asked for news"
    assert scraped(REFRESH) == {**first, "/9.jpg": "ok"}, "no row is lost because its page has changed"
    assert scraped() == {**first, "/9.jpg": "ok"}
    assert not site.requests


FREE = b'<a rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">free</a>'


def test_a_lost_file_is_fetched_unconditionally(site: Site, tmp_path: Path) -> None:
    urls = [validated(site, "/0.jpg", photo(0), ETag='"v1"')]
    path = tmp_path / run(site, tmp_path, urls)["/0.jpg"]["path"]
    path.unlink()
    assert run(site, tmp_path, urls, REFRESH)["/0.jpg"]["reason"] == "ok"
    assert path.read_bytes() == photo(0)
    assert not conditional(site)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["all"], {"/404.jpg", "/500.jpg"}),
        (["http_5xx"], {"/500.jpg"}),
        (["decode_failed", "http_4xx"], {"/404.jpg", "/half.jpg"}),
        (["too_small"], set()),
    ],
)
def test_failures_are_tried_again_when_asked_to(site: Site, tmp_path: Path, names: list[str], asked: set[str]) -> None:
    urls = [site.add("/fine.jpg", photo(1)), site.url("/404.jpg"), site.add("/500.jpg", status=500)]
    urls.append(site.add("/half.jpg", photo(2)[:-500]))
    run(site, tmp_path, urls)
    for path, seed in {"/404.jpg": 3, "/500.jpg": 4, "/half.jpg": 5}.items():
        site.add(path, photo(seed))
    found = run(site, tmp_path, urls, Revisit(retry=retried(names)))
    assert set(site.counts()) == asked
    assert {path for path, row in found.items() if row["reason"] == "ok"} == {"/fine.jpg"} | asked
    assert run(site, tmp_path, urls) == found
    assert not site.requests


def test_an_item_page_that_failed_is_read_again(site: Site, tmp_path: Path) -> None:
    query, page = html_site(site, tmp_path), "/item/2"
    route: Callable[[BaseHTTPRequestHandler], None] = site.routes.pop(page)
    for revisit in (Revisit(), Revisit(retry=retried(["http_5xx"]))):
        scrape.run(section(query), tmp_path, allow=(site.host,), revisit=revisit)
        assert [row["reason"] for row in rows(tmp_path)] == ["ok", "ok", "http_4xx", "ok"]
    site.route(page, route)
    scrape.run(section(query), tmp_path, allow=(site.host,), revisit=Revisit(retry=retried(["all"])))
    assert [row["reason"] for row in rows(tmp_path)] == ["ok"] * 4
    assert site.counts()["/0.jpg"] == site.counts()["/3.jpg"] == 1


def test_a_reason_with_a_typo_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'http_5xx'"):
        retried(["http_5x"])


def test_what_a_host_says_about_itself_is_kept_for_a_day(site: Site, tmp_path: Path) -> None:
    site.add("/robots.txt", "User-agent: *\nDisallow: /private/\nCrawl-delay: 0.01", mime="text/plain")
    urls = [site.add(path, photo(n)) for n, path in enumerate(["/0.jpg", "/private/1.jpg", "/2.jpg"])]
    run(site, tmp_path, urls[:1])
    found = run(site, tmp_path, urls)
    assert [row["reason"] for row in found.values()] == ["ok", "robots_denied", "ok"]
    assert set(site.counts()) == {"/2.jpg"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('[{"location": "/shop/*", "tdm-reservation": 1}]', "optout_header"),
        ('[{"location": "*", "tdm-reservation": 1, "tdm-policy": "https://x.example/p"}]', "optout_header"),
        ('[{"location": "/", "tdm-reservation": 1}, {"location": "/shop/", "tdm-reservation": 0}]', "ok"),
        ('[{"location": "/blog/", "tdm-reservation": 1}]', "ok"),
        ('{"location": "/shop/"}', "ok"),
        ("<html>not found</html>", "ok"),
        ("[" * 100_000, "ok"),
    ],
)
def test_reserved_rights_are_respected(site: Site, tmp_path: Path, body: str, reason: str) -> None:
    site.add("/.well-known/tdmrep.json", body, mime="application/json")
    urls = [site.add("/shop/0.jpg", photo(0)), site.add("/shop/1.jpg", photo(1))]
    assert {row["reason"] for row in run(site, tmp_path, urls).values()} == {reason}
    assert site.counts()["/.well-known/tdmrep.json"] == 1


def test_a_second_folder_keeps_the_first_ones_rows(tmp_path: Path) -> None:
    """Also when the first folder has gone, and when one of its pictures was forgotten."""
    for n, name in enumerate(["a/1.jpg", "a/2.jpg", "a/3.jpg", "a/text.jpg", "b/4.jpg"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture" if "text" in name else photo(n))

    def collected(domain: str) -> dict[str, str]:
        query = Query(source="folder", input=str(tmp_path / domain), domain=domain)
        scrape.run(Scrape(queries=(query,), min_side=1), tmp_path)
        found = manifest.read(manifest.IMAGES, tmp_path).to_pylist()
        assert all((tmp_path / row["path"]).is_file() for row in found if row["status"] == manifest.ACCEPTED)
        return {row["title"]: row["reason"] for row in found}

    first = collected("a")
    assert first == {"1": "ok", "2": "ok", "3": "ok", "text": "not_image"}
    shutil.rmtree(tmp_path / "a")
    assert collected("b") == {**first, "4": "ok"}
    assert collected("b") == {**first, "4": "ok"}
    [gone] = [r for r in manifest.read(manifest.IMAGES, tmp_path).to_pylist() if r["title"] == "1"]
    forget.run(gone["image_id"], tmp_path)
    (tmp_path / "b" / "5.jpg").write_bytes(photo(5))
    del first["1"]
    assert collected("b") == {**first, "4": "ok", "5": "ok"}
