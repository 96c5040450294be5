"""Dead hosts that redirects and other addresses of pictures lead to: what they are asked, and what becomes of whom."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape import outcome
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from curate.pipeline.scrape.web.backoff import PATIENCE
from tests.pipeline.scrape.test_dead_hosts import OWN_FILES, TRIES
from tests.pipeline.scrape.test_stage import listed, rows, section
from tests.support.http_server import Answer, Site, hanging_up, photo, serving

MOST = PATIENCE * TRIES
HOST_OFF = Revisit(retry=frozenset({"host_off"}))


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site, Site]]:
    """Two that answer and one that does not, but for its robots.txt."""
    with serving() as first, serving() as second, serving() as dead:
        yield first, second, dead


def run(sites: tuple[Site, ...], root: Path, *queries: Query, revisit: Revisit = NOTHING, **changes: Any) -> list[Any]:
    """Every column of each row but for its time, of a scrape in which the servers' records start anew."""
    for site in sites:
        site.requests.clear()
    with contextlib.suppress(YieldError):  # where nothing is accepted
        patient = {"deadline": 60.0, "read_timeout": 30.0, "connect_timeout": 30.0}  # on a machine under load, too
        changes = {"tries": TRIES, "workers": 16, **patient, **changes}
        scrape.run(section(*queries, **changes), root, allow=tuple(site.host for site in sites), revisit=revisit)
    return [{**row, "retrieved_at": None} for row in rows(root)]


def asked(site: Site) -> int:
    """Requests for pictures and pages."""
    return sum(request.path not in OWN_FILES for request in site.requests)


def reasons(found: list[Any], word: str) -> list[str]:
    """Those of the rows whose address has `word` in it."""
    return [row["reason"] for row in found if word in row["image_url"]]


def late(answer: Answer, chance: random.Random) -> Answer:
    """`answer` after up to 20 ms."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(chance.uniform(0.0, 0.02))
        answer(handler)

    return wait


def scattered(sites: tuple[Site, Site, Site], count: int) -> list[str]:
    """Addresses of which `count` are the dead host's own, and twice as many lead there from hosts that answer."""
    first, second, dead = sites
    urls: list[str] = []
    for n in range(count):
        for site in (first, second):
            urls.append(site.add(f"/fine{n}.jpg", photo(n % 5)))
            name = f"/{site.port}-{n}.jpg"
            urls.append(site.add(f"/led{n}.jpg", status=302, Location=dead.route(name, hanging_up)))
        urls.append(dead.route(f"/own{n}.jpg", hanging_up))
    return urls


def test_all_ways_to_a_dead_host_share_its_requests_and_the_rows_are_the_same_whoever_was_first(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    urls = scattered(sites, 15)
    answers = [dict(site.routes) for site in sites]
    found = []
    for seed, workers in enumerate((1, 16, 16, 3)):
        chance = random.Random(seed)
        for site, plain in zip(sites, answers, strict=True):
            site.routes = {path: late(answer, chance) for path, answer in plain.items()}
        root = tmp_path / str(seed)
        found.append(run(sites, root, listed(root, urls), workers=workers, per_host=8))
        assert asked(sites[2]) <= MOST
    assert reasons(found[0], "/own") == ["network"] * PATIENCE + ["host_off"] * 5
    assert reasons(found[0], "/led") == ["network"] * 30
    assert set(reasons(found[0], "/fine")) == {"ok", "duplicate"}
    assert all(rest == found[0] for rest in found[1:])


def test_a_host_that_is_only_led_to_gets_no_more(sites: tuple[Site, Site, Site], tmp_path: Path) -> None:
    urls = [url for url in scattered(sites, 15) if "/own" not in url]
    found = run(sites, tmp_path, listed(tmp_path, urls))
    assert reasons(found, "/led") == ["network"] * 30
    assert reasons(found, "/fine").count("host_off") == 0, "they are not to blame"
    assert asked(sites[2]) == MOST
    assert run(sites, tmp_path, listed(tmp_path, urls)) == found
    assert not any(site.requests for site in sites)


def test_what_a_killed_run_left_is_finished_to_the_same_rows(sites: tuple[Site, Site, Site], tmp_path: Path) -> None:
    urls = scattered(sites, 15)
    query = listed(tmp_path, urls)
    whole = run(sites, tmp_path, query)
    journal = tmp_path / "raw/images/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    for seed in range(3):  # whatever had been answered by then, in whichever order
        chance = random.Random(seed)
        answered = [line for line in lines[1:-1] if chance.random() < 0.6]
        chance.shuffle(answered)
        journal.write_bytes(b"".join([lines[0], *answered]))
        assert run(sites, tmp_path, query) == whole
        assert asked(sites[2]) <= MOST


@pytest.mark.parametrize("how", ["a day later", "when told to"])
def test_pictures_that_led_to_a_dead_host_are_asked_for_again(
    sites: tuple[Site, Site, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    urls = scattered(sites, 15)
    query = listed(tmp_path, urls)
    first = run(sites, tmp_path, query)
    if how == "a day later":
        monkeypatch.setattr(outcome, "DAY", timedelta(0))
    revisit = NOTHING if how == "a day later" else HOST_OFF
    again = run(sites, tmp_path, query, revisit=revisit)
    assert reasons(again, "/led") == reasons(first, "/led")
    assert reasons(again, "/own") == ["network"] * 15, "the ten were asked already"
    assert 0 < asked(sites[2]) <= MOST
    for path in list(sites[2].routes):
        sites[2].add(path, photo(hash(path) % 7))
    back = run(sites, tmp_path, query, revisit=revisit)
    assert set(reasons(back, "/led")) <= {"ok", "duplicate"}


def paged(site: Site, root: Path, count: int, addresses: list[str]) -> Query:
    """A site with `count` items of one picture each, whose addresses are those with {} for the number, best first."""
    site.page("/list", "".join(f'<a class=card href="/i/{n}">x</a>' for n in range(count)))
    for n in range(count):
        sizes = ", ".join(f"{url.format(n)} {2000 - 100 * k}w" for k, url in enumerate(addresses))
        site.page(f"/i/{n}", f'<h1>p</h1><img srcset="{sizes}">')
    hosts = [site.host, *(url.split("/")[2] for url in addresses)]
    (root / "s.yaml").write_text(
        f"name: s\nstart: ['{site.url('/list')}']\nallowed_hosts: {list(dict.fromkeys(hosts))}\n"
        "listing: {item: a.card}\nitem: {images: [{css: img}]}\n"
    )
    return Query(source="html", site="s.yaml", domain="d")


def test_a_dead_host_whose_pictures_another_has_gets_no_more_either(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    site, other, dead = sites
    for n in range(20):
        dead.route(f"/{n}.jpg", hanging_up)
        other.add(f"/{n}.jpg", photo(n))
    query = paged(site, tmp_path, 20, [dead.url("/{}.jpg"), other.url("/{}.jpg")])
    found = run(sites, tmp_path, query)
    assert [row["reason"] for row in found] == ["ok"] * 20, "the other one is asked all the same"
    assert asked(dead) == MOST
    assert run(sites, tmp_path, query, workers=1) == found
    assert not any(each.requests for each in sites)


def test_a_dead_host_that_has_the_other_addresses_is_led_to(
    sites: tuple[Site, Site, Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, other, dead = sites
    for n in range(20):
        dead.route(f"/{n}.jpg", hanging_up)
    query = paged(site, tmp_path, 20, [other.url("/{}.jpg"), dead.url("/{}.jpg")])  # of which the first is 404
    found = run(sites, tmp_path, query)
    assert [row["reason"] for row in found] == ["network"] * 20
    assert asked(dead) == MOST
    monkeypatch.setattr(outcome, "DAY", timedelta(0))
    for n in range(20):
        dead.add(f"/{n}.jpg", photo(n))
    assert [row["reason"] for row in run(sites, tmp_path, query)] == ["ok"] * 20


def test_pages_of_a_host_are_read_on_when_its_pictures_are_not_to_be_had(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    site = sites[0]
    for n in range(40):
        site.add(f"/{n}.jpg", status=503)
    found = run(sites, tmp_path, paged(site, tmp_path, 40, [site.url("/{}.jpg")]))
    assert [row["reason"] for row in found] == ["http_5xx"] * PATIENCE + ["host_off"] * 30
    assert asked(site) == 1 + 40 + MOST


def test_who_was_led_to_a_dead_host_keeps_nobody_from_asking_it_in_the_next_run(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    first, _, dead = sites
    led = [url for url in scattered(sites, 15) if "/led" in url]
    before = run(sites, tmp_path, listed(tmp_path, led, "a.txt"))
    own = [dead.add(f"/{n}.jpg", photo(n)) for n in range(12)]
    more = [first.add("/more.jpg", status=302, Location=own[0])]
    both = [listed(tmp_path, led, "a.txt"), listed(tmp_path, own + more, "b.txt")]
    found = run(sites, tmp_path, *both)
    assert found[:30] == before
    assert reasons(found[30:], dead.host) == ["ok"] * 12


@pytest.mark.parametrize("status", [500, 503])
def test_a_host_that_fails_at_every_size_gets_no_more(
    sites: tuple[Site, Site, Site], tmp_path: Path, status: int
) -> None:
    site, other, _ = sites
    for n in range(14):
        for size in "abc":
            other.add(f"/{n}{size}.jpg", status=status)
    query = paged(site, tmp_path, 14, [other.url("/{}" + f"{size}.jpg") for size in "abc"])
    found = run(sites, tmp_path, query)
    assert [row["reason"] for row in found] == ["http_5xx"] * PATIENCE + ["host_off"] * 4
    assert asked(other) == MOST
    for n in range(14):
        other.add(f"/{n}b.jpg", photo(n))
    found = run(sites, tmp_path, query, revisit=Revisit(retry=outcome.PASSING))
    assert [row["reason"] for row in found] == ["ok"] * 14, "one try is left for a smaller one"


def test_a_refresh_asks_a_dead_host_no_more_and_keeps_what_there_is(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    dead = sites[2]
    query = listed(tmp_path, [dead.add(f"/{n}.jpg", photo(n)) for n in range(30)])
    found = run(sites, tmp_path, query)
    for n in range(30):
        dead.route(f"/{n}.jpg", hanging_up)
    assert run(sites, tmp_path, query, revisit=Revisit(refresh=True)) == found
    assert asked(dead) == MOST
    assert run(sites, tmp_path, query) == found and not dead.requests


def test_a_challenge_of_another_host_is_not_held_against_the_one_that_leads_there(
    sites: tuple[Site, Site, Site], tmp_path: Path
) -> None:
    first, second, _ = sites
    urls = [first.add("/led.jpg", status=302, Location=second.add("/no.jpg", status=403, cf_mitigated="challenge"))]
    urls += [first.add(f"/{n}.jpg", photo(n)) for n in range(20)]
    found = run(sites, tmp_path, listed(tmp_path, urls))
    assert [row["reason"] for row in found] == ["host_off"] + ["ok"] * 20


def test_the_second_run_of_a_list_asks_nobody_whatever_failed(sites: tuple[Site, Site, Site], tmp_path: Path) -> None:
    first, second, dead = sites
    with serving() as refusing:
        refusing.add("/robots.txt", "User-agent: *\nDisallow: /private/", mime="text/plain")
        second.add("/robots.txt", status=503)
        urls = [
            *scattered((first, refusing, dead), 15),
            *(second.add(f"/{n}.jpg", photo(n)) for n in range(3)),  # robots_unreachable
            first.add("/robots.jpg", status=302, Location=second.url("/led.jpg")),
            refusing.add("/private/a.jpg", photo(1)),
            first.add("/private.jpg", status=302, Location=refusing.url("/private/b.jpg")),
            first.add("/busy.jpg", status=429, Retry_After="0"),
            first.add("/later.jpg", status=429, Retry_After="99999"),
            first.url("/none.jpg"),
            first.add("/broken.jpg", status=500),
            first.add("/loop.jpg", status=302, Location="/loop.jpg"),
            first.add("/inside.jpg", status=302, Location="http://127.0.0.2:80/secret.jpg"),
            first.add("/bad.jpg", status=302, Location="http://[/"),
            first.add("/noai.jpg", photo(8), X_Robots_Tag="noai"),
            first.add("/big.jpg", bytes(2_000_000)),
            first.add("/text.jpg", "nothing"),
            first.add("/fine.jpg", photo(9)),
            first.url("/fine.jpg"),
            "http://nobody.invalid/a.jpg",
            "http://[/a.jpg",
            "data:image/png;base64,AAAA",
            "ftp://a.example/a.jpg",
        ]
        addresses = [dead.url("/own{}.jpg"), refusing.url("/none{}.jpg")]
        queries = [listed(tmp_path, urls), paged(first, tmp_path, 12, addresses)]
        everyone = (*sites, refusing)
        found = run(everyone, tmp_path, *queries)
        seen = {row["reason"] for row in found}
        assert seen >= set(
            "ok network host_off http_4xx http_5xx robots_denied robots_unreachable quota bad_url ssrf_blocked "
            "too_large not_image optout_header duplicate".split()
        )
        assert asked(dead) <= MOST
        for workers in (1, 16):
            assert run(everyone, tmp_path, *queries, workers=workers) == found
            assert not any(site.requests for site in everyone)
        elsewhere = tmp_path / "elsewhere"
        queries = [listed(elsewhere, urls), paged(first, elsewhere, 12, addresses)]
        assert run(everyone, elsewhere, *queries, workers=1) == found
