"""Hosts that do not answer: how often they are asked, what becomes of their pictures, and when they are asked again."""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import Future
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape import outcome
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.host_patience import HostPatience
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from curate.pipeline.scrape.web.backoff import PATIENCE
from tests.pipeline.scrape.test_stage import listed, rows, section
from tests.support.fake_apis import Notes
from tests.support.http_server import Site, drip, hanging_up, photo, serving

TRIES = 4  # as is usual
OWN_FILES = {"/robots.txt", "/.well-known/tdmrep.json"}


def run(site: Site, root: Path, *queries: Query, revisit: Revisit = NOTHING, **changes: Any) -> list[tuple[str, str]]:
    """Address and reason of each row, of a scrape in which the server's record starts anew."""
    site.requests.clear()
    with contextlib.suppress(YieldError):  # where nothing is accepted
        scrape.run(section(*queries, tries=TRIES, **changes), root, allow=(site.host,), revisit=revisit)
    return [(str(row["image_url"]).removeprefix(site.url("")), row["reason"]) for row in rows(root)]


def asked(site: Site) -> Counter[str]:
    """How often each picture or page was asked for."""
    return Counter({path: count for path, count in site.counts().items() if path not in OWN_FILES})


def dead(site: Site, count: int) -> list[str]:
    return [site.route(f"/{n}.jpg", hanging_up) for n in range(count)]


def reasons(found: list[tuple[str, str]]) -> list[str]:
    return [reason for _, reason in found]


@pytest.mark.parametrize("count", [PATIENCE - 1, 16, 60])
def test_a_dead_host_gets_the_requests_of_ten_failures(site: Site, tmp_path: Path, count: int) -> None:
    query = listed(tmp_path, dead(site, count))
    first = run(site, tmp_path, query)
    failed = min(count, PATIENCE)
    assert reasons(first) == ["network"] * failed + ["host_off"] * (count - failed)
    assert asked(site) == {f"/{n}.jpg": TRIES for n in range(failed)}
    assert run(site, tmp_path, query, workers=2) == first
    assert not site.requests


def test_a_day_later_the_rest_is_asked_for(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = listed(tmp_path, dead(site, 30))
    run(site, tmp_path, query)
    monkeypatch.setattr(outcome, "DAY", timedelta(0))
    second = run(site, tmp_path, query)
    assert reasons(second) == ["network"] * 20 + ["host_off"] * 10
    assert set(asked(site)) == {f"/{n}.jpg" for n in range(10, 20)}
    for n in range(30):
        site.add(f"/{n}.jpg", photo(n))
    assert reasons(run(site, tmp_path, query)) == ["network"] * 20 + ["ok"] * 10


def test_it_is_asked_again_where_that_is_asked_for(site: Site, tmp_path: Path) -> None:
    query = listed(tmp_path, dead(site, 14))
    run(site, tmp_path, query)
    for n in range(14):
        site.add(f"/{n}.jpg", photo(n))
    again = run(site, tmp_path, query, revisit=Revisit(retry=frozenset({"host_off"})))
    assert reasons(again) == ["network"] * 10 + ["ok"] * 4
    assert asked(site) == {f"/{n}.jpg": 1 for n in range(10, 14)}
    assert run(site, tmp_path, query) == again and not site.requests
    assert set(reasons(run(site, tmp_path, query, revisit=Revisit(retry=outcome.PASSING)))) == {"ok"}


def test_what_was_left_out_is_said(site: Site, tmp_path: Path) -> None:
    notes = Notes()
    with pytest.raises(YieldError):
        scrape.run(section(listed(tmp_path, dead(site, 12)), tries=1), tmp_path, allow=(site.host,), progress=notes)
    assert notes.said[-1].startswith("2 were not asked for, as their hosts were given up: --retry-failed=host_off")


def test_a_challenge_ends_a_host_for_a_day(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = [site.add("/0.jpg", status=403, cf_mitigated="challenge"), site.add("/1.jpg", photo(1))]
    query = listed(tmp_path, urls)
    assert reasons(run(site, tmp_path, query, workers=1))[0] == "host_off"
    site.add("/0.jpg", photo(0))
    assert reasons(run(site, tmp_path, query))[0] == "host_off" and not site.requests
    monkeypatch.setattr(outcome, "DAY", timedelta(0))
    assert set(reasons(run(site, tmp_path, query))) == {"ok"}


def test_one_address_is_asked_once_however_often_it_is_listed(site: Site, tmp_path: Path) -> None:
    slow = site.route("/slow.jpg", drip(photo(1), 0.05, len(photo(1)) // 3))
    urls = [slow] * 8 + [site.route("/off.jpg", hanging_up)] * 8 + [site.add("/a.jpg", photo(2)), slow]
    names = ("title", "url", "role", "group_id")
    (tmp_path / "l.csv").write_text(
        "\n".join([",".join(names), *(f"{n},{url},article,{n}" for n, url in enumerate(urls))]), "utf-8"
    )
    query = Query(source="urls", input="l.csv", domain="d")
    first = run(site, tmp_path, query)
    assert len(first) == len(urls) and set(reasons(first)) == {"ok", "network"}
    assert asked(site) == {"/slow.jpg": 1, "/off.jpg": TRIES, "/a.jpg": 1}
    assert run(site, tmp_path, query) == first
    assert not site.requests


def test_two_lists_share_a_failure_and_ask_nobody_again(site: Site, tmp_path: Path) -> None:
    urls = [site.route("/off.jpg", hanging_up), site.add("/a.jpg", photo(1)), site.add("/big.jpg", bytes(2_000_000))]
    queries = [listed(tmp_path, urls, "a.txt"), listed(tmp_path, urls[::-1], "b.txt")]
    queries = [Query(source="urls", input=query.input, domain=str(n)) for n, query in enumerate(queries)]
    first = run(site, tmp_path, *queries)
    assert asked(site) == {"/off.jpg": TRIES, "/a.jpg": 1, "/big.jpg": 1}
    for _ in range(2):
        assert run(site, tmp_path, *queries) == first
        assert not site.requests


@pytest.mark.parametrize("workers", [1, 8])
def test_what_counts_is_the_order_of_discovery(site: Site, tmp_path: Path, workers: int) -> None:
    """A slow success among failures: those after it fail first, and still it ends the row of those before it."""
    slow = drip(photo(1), 0.05, len(photo(1)) // 4)
    urls = [site.route(f"/{n}.jpg", slow if n == 5 else hanging_up) for n in range(20)]
    found = run(site, tmp_path, listed(tmp_path, urls), workers=workers)
    assert reasons(found) == ["network"] * 5 + ["ok"] + ["network"] * 10 + ["host_off"] * 4


def test_other_addresses_of_a_picture_do_not_wear_out_a_dead_host(site: Site, tmp_path: Path) -> None:
    with serving() as other:
        page = "".join(f'<a class=card href="/i/{n}">x</a>' for n in range(30))
        site.page("/list", page)
        for n in range(30):
            sizes = ", ".join(f"{other.url(f'/{n}-{width}.jpg')} {width}w" for width in (400, 800, 1600))
            site.page(f"/i/{n}", f'<h1>p</h1><img srcset="{sizes}">')
        other.routes |= {f"/{n}-{width}.jpg": hanging_up for n in range(30) for width in (400, 800, 1600)}
        (tmp_path / "s.yaml").write_text(
            f"name: s\nstart: ['{site.url('/list')}']\nallowed_hosts: ['{site.host}', '{other.host}']\n"
            "listing: {item: a.card}\nitem: {images: [{css: img}]}\n"
        )
        query = Query(source="html", site="s.yaml", domain="d")
        with contextlib.suppress(YieldError):
            scrape.run(section(query, tries=TRIES), tmp_path, allow=(site.host, other.host))
        assert [row["reason"] for row in rows(tmp_path)] == ["network"] * 10 + ["host_off"] * 20
        assert asked(other).total() == PATIENCE * TRIES


def test_pages_of_a_dead_host_are_given_up_too(site: Site, tmp_path: Path) -> None:
    site.page("/list", "".join(f'<a class=card href="/i/{n}">x</a>' for n in range(30)))
    for n in range(30):
        site.route(f"/i/{n}", hanging_up)
    (tmp_path / "s.yaml").write_text(
        f"name: s\nstart: ['{site.url('/list')}']\nlisting: {{item: a.card}}\nitem: {{images: [{{css: img}}]}}\n"
    )
    query = Query(source="html", site="s.yaml", domain="d")
    first = run(site, tmp_path, query)
    assert reasons(first) == ["network"] * 10 + ["host_off"] * 20
    assert asked(site).total() == 1 + PATIENCE * TRIES
    assert run(site, tmp_path, query) == first and not site.requests
    for n in range(30):
        site.page(f"/i/{n}", f'<h1>p</h1><img src="/{n}.jpg">')
        site.add(f"/{n}.jpg", photo(n))
    again = run(site, tmp_path, query, revisit=Revisit(retry=frozenset({"host_off"})))
    assert set(reasons(again)) == {"ok"}, "pages that failed are read anew with them"


def test_thousands_that_wait_for_one_answer_are_begun_in_their_order() -> None:
    patience, begun = HostPatience(), []
    first = [Future[outcome.Outcome | None]() for _ in range(PATIENCE)]

    def at_once(number: int) -> Future[outcome.Outcome | None]:
        begun.append(number)
        done = Future[outcome.Outcome | None]()
        done.set_result(outcome.Outcome("robots_denied"))
        return done

    for future in first:
        patience.fetch("h", lambda off, future=future: future)
    waiting = [patience.fetch("h", lambda off, number=number: at_once(number)) for number in range(5000)]
    assert not begun
    first[-1].set_result(outcome.Outcome("ok"))
    assert begun == list(range(5000)) and all(future.done() for future in waiting)


def test_a_host_that_refuses_is_no_dead_one(site: Site, tmp_path: Path) -> None:
    def refuse(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(404)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    urls = [site.route(f"/{n}.jpg", refuse) for n in range(40)] + [site.add("/fine.jpg", photo(1))]
    assert reasons(run(site, tmp_path, listed(tmp_path, urls))) == ["http_4xx"] * 40 + ["ok"]
