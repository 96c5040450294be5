"""The rules that need no network: opt-outs, waiting, robots.txt, the text of pages, addresses."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.scrape.web import backoff, charset, optout, robots
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.url import parse

NOW = datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ([], None),
        (["noai"], "noai"),
        (["all, NoImageAI"], "noimageai"),
        (["none"], "none"),
        (["noml"], "noml"),
        (["index, follow"], None),
        (["curate: noai"], "noai"),
        (["googlebot: noai"], None),
        (["googlebot: noai, nofollow"], None),
        (["googlebot: noindex, curate: noai"], "noai"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "noai"),
        (["max-image-preview: large, noindex"], "noindex"),
        (["otherbot: all", "noindex"], "noindex"),
        (["*: noai"], "noai"),
        (["noarchive"], None),
    ],
)
def test_x_robots_tag(lines: list[str], refusal: str | None) -> None:
    assert optout.refused_by_headers(lines, None) == refusal


@pytest.mark.parametrize(("value", "refusal"), [("1", "tdm-reservation"), ("0", None), (None, None)])
def test_tdm_reservation(value: str | None, refusal: str | None) -> None:
    assert optout.refused_by_headers([], value) == refusal


@pytest.mark.parametrize(
    ("tags", "refusal"),
    [
        ([("robots", "NOAI")], "noai"),
        ([("Curate", "noimageai")], "noimageai"),
        ([("googlebot", "noai")], None),
        ([("robots", "index, follow")], None),
        ([("tdm-reservation", "1")], "tdm-reservation"),
    ],
)
def test_meta(tags: list[tuple[str, str]], refusal: str | None) -> None:
    assert optout.refused_by_meta(tags) == refusal


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("-5", 0.0),
        ("soon", None),
        ("", None),
        ("Sat, 21 Nov 2026 02:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 01:00:00 GMT", 0.0),
        ("99999", 99999.0),
        ("9" * 400, None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert backoff.asked_wait({"Retry-After": value}, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "60"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"}, 60.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 90)}, 90.0),
    ],
)
def test_an_empty_quota_tells_when_it_is_full_again(headers: dict[str, str], seconds: float | None) -> None:
    assert backoff.spent(headers, NOW) == seconds


@given(st.integers(0, 30), st.floats(0.0, 5.0))
def test_backoff_is_full_jitter_under_a_minute(attempt: int, base: float) -> None:
    waits = [backoff.backoff(attempt, base, random.Random(seed)) for seed in range(20)]
    assert all(0.0 <= wait <= min(60.0, base * 2**attempt) for wait in waits)


def rules(body: str, mime: str = "text/plain") -> robots.Rules:
    return robots.parse(body.encode(), mime)


@pytest.mark.parametrize(
    ("body", "path", "verdict"),
    [
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", "allowed"),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/c", "robots_denied"),
        ("User-agent: *\nDisallow: /*.jpg$", "/x.jpg", "robots_denied"),
        ("User-agent: *\nDisallow: /*.jpg$", "/x.jpg?a", "allowed"),
        ("User-agent: *\nDisallow: /\nUser-agent: curate\nAllow: /", "/x", "allowed"),
        ("User-agent: my-curate\nDisallow: /", "/x", "allowed"),
        ("User-agent: *\nDisallow: /画像/", "/%E7%94%BB%E5%83%8F/x", "robots_denied"),
        ("\ufeffUser-agent: *\nDisallow: /", "/x", "robots_denied"),
        ("<html>User-agent: *\nDisallow: /", "/x", "allowed"),
    ],
)
def test_robots_rules(body: str, path: str, verdict: str) -> None:
    assert rules(body).verdict(f"https://x.example{path}") == verdict


@pytest.mark.parametrize(
    ("line", "delay"), [("Crawl-delay: 5", 5.0), ("Crawl-delay: 9999", 60.0), ("Request-rate: 1/10", 10.0), ("", 0.0)]
)
def test_robots_delay(line: str, delay: float) -> None:
    assert rules(f"User-agent: *\n{line}\nDisallow: /x").delay == delay


def test_an_unreachable_robots_txt_is_asked_for_again_later_and_later() -> None:
    book = robots.RulesCache()
    now, waits = 0.0, []
    for _ in range(4):
        book.keep("http://x", robots.UNREACHABLE, now)
        assert book.known("http://x", now) is robots.UNREACHABLE
        wait = next(s for s in range(0, 10_000, 60) if book.known("http://x", now + s) is None)
        waits.append(wait)
        now += wait
    assert waits == [300, 900, 3600, 3600]


def test_a_good_copy_stands_in_for_a_day() -> None:
    book = robots.RulesCache()
    good = rules("User-agent: *\nDisallow: /a")
    book.keep("http://x", good, 0.0)
    assert book.known("http://x", robots.FRESH - 1) is good
    assert book.known("http://x", robots.FRESH) is None
    assert book.keep("http://x", robots.UNREACHABLE, robots.FRESH - 1) is good
    assert book.keep("http://x", robots.UNREACHABLE, robots.FRESH + 1) is robots.UNREACHABLE


JAPANESE = "ロングヘアの商品、とてもかわいい水着です。"


@pytest.mark.parametrize(
    ("codec", "declared", "header", "expected"),
    [
        ("utf-8", '<meta charset="utf-8">', "text/html", "utf-8"),
        ("cp932", '<meta charset="Shift_JIS">', "text/html", "cp932"),
        ("cp932", '<meta charset="x-sjis">', "text/html", "cp932"),
        ("cp932", '<meta charset="windows-31j">', "text/html", "cp932"),
        ("cp932", "", "text/html; charset=Shift_JIS", "cp932"),
        ("cp932", "", "text/html", "cp932"),
        ("euc_jp", "", "text/html", "euc_jp"),
        ("euc_jp", '<meta http-equiv="Content-Type" content="text/html; charset=EUC-JP">', "text/html", "euc_jp"),
        ("iso2022_jp", "", "text/html", "iso2022_jp"),
        ("utf-8", "", "text/html", "utf-8"),
        ("utf-8-sig", '<meta charset="Shift_JIS">', "text/html; charset=euc-jp", "utf-8-sig"),
        ("cp932", '<meta charset="Shift_JIS">', "text/html; charset=ISO-8859-1", "cp932"),
        ("euc_jp", '<meta charset="utf-8">', "text/html; charset=EUC-JP", "euc_jp"),
        ("utf-8", '<meta charset="made-up">', "text/html; charset=nonsense", "utf-8"),
    ],
)
def test_japanese_pages_are_read_right(codec: str, declared: str, header: str, expected: str) -> None:
    special = "①㈱髙" if codec.startswith(("cp", "utf")) else ""
    page = f"<html><head>{declared}</head><body>{JAPANESE}{special}</body></html>"
    assert charset.decode(page.encode(codec), header) == (page, expected)


def test_an_override_goes_before_what_the_page_says() -> None:
    page = f'<meta charset="utf-8">{JAPANESE}'
    assert charset.decode(page.encode("cp932"), "text/html; charset=utf-8", "shift_jis") == (page, "cp932")


@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_become_text(body: bytes, header: str) -> None:
    assert isinstance(charset.decode(body, header)[0], str)


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("http://X.example", "http://x.example/"),
        ("https://user:secret@x.example:8443/a?b#c", "https://x.example:8443/a?b"),
        ("http://x.example/画像 1.jpg", "http://x.example/%E7%94%BB%E5%83%8F%201.jpg"),
        ("http://x.example/%E7%94%BB.jpg", "http://x.example/%E7%94%BB.jpg"),
        ("  http://x.example/a\nb.jpg ", "http://x.example/ab.jpg"),
    ],
)
def test_addresses_are_cleaned(url: str, clean: str) -> None:
    assert parse(url).text == clean


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "bad_url"),
        ("x.example/a.jpg", "bad_url"),
        ("http://", "bad_url"),
        ("http://[::1", "bad_url"),
        ("http://x:99999999/", "bad_url"),
        ("ftp://x/a", "ssrf_blocked"),
        ("file:///etc/passwd", "ssrf_blocked"),
        ("data:image/png;base64,AAAA", "not_image"),
    ],
)
def test_what_is_no_web_address_is_refused(url: str, reason: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse(url)
    assert caught.value.reason == reason


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(url: str) -> None:
    try:
        assert parse(url).scheme in {"http", "https"}
    except FetchError as error:
        assert error.reason in {"bad_url", "ssrf_blocked", "not_image"}
