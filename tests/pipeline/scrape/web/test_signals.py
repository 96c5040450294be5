"""What sites say of training: which statements refuse, for whom and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.scrape.web import rsl, signals

HOME = "https://site.example"


def refusal(robots: str, path: str = "/photos/1.jpg") -> str | None:
    return signals.parse(robots).refusal(HOME + path)


@pytest.mark.parametrize(
    ("robots", "said"),
    [
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", "Content-Signal"),
        ("user-agent: *\ncontent-signal: AI-Train = No", "Content-Signal"),
        ("User-Agent: *\nContent-Signal: ai-train=yes, search=no", None),
        ("User-Agent: *\nContent-Signal: search=yes, ai-input=no", None),
        ("User-Agent: *\nContent-Signal: ai-train=perhaps", "Content-Signal"),
        ("Content-Signal: ai-train=no\nUser-agent: *\nAllow: /", "Content-Signal"),
        ("User-agent: otherbot\nContent-Signal: ai-train=no\nUser-agent: *\nAllow: /", None),
        ("User-agent: otherbot\nUser-agent: *\nContent-Signal: ai-train=no", "Content-Signal"),
        ("User-agent: curate\nContent-Signal: ai-train=yes\n\nUser-agent: *\nContent-Signal: ai-train=no", None),
        ("User-agent: curate/1.0\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", "Content-Signal"),
        ("User-agent: *\n# Content-Signal: ai-train=no", None),
        ("User-agent: *\nContent-Usage: train-ai=n", "Content-Usage"),
        ("User-agent: *\nContent-Usage: /photos/ train-ai=n", "Content-Usage"),
        ("User-agent: *\nContent-Usage: /blog/ train-ai=n", None),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /photos/ train-ai=y", None),
        ("User-agent: *\nContent-Usage: train-ai=y\nContent-Usage: /*.jpg$ train-ai=n", "Content-Usage"),
        ("User-agent: *\nContent-Usage: bots=n", "Content-Usage"),
        ("User-agent: *\nContent-Usage: bots=n, train-ai=y", None),
        ("User-agent: *\nContent-Usage: train-ai=y, train-genai=n", "Content-Usage"),
        ("User-agent: *\nContent-Usage: search=n", None),
        ("User-agent: *\nContent-Usage: train-ai=n\nContent-Signal: ai-train=yes", "Content-Usage"),
        ("", None),
    ],
)
def test_preferences_of_robots_txt(robots: str, said: str | None) -> None:
    assert refusal(robots) == said


@pytest.mark.parametrize(
    ("robots", "path", "agent"),
    [
        ("User-agent: img2dataset\nDisallow: /", "/a.jpg", "img2dataset"),
        ("User-agent: CCBot\nUser-agent: GPTBot\nDisallow: /", "/a.jpg", "ccbot"),
        ("User-agent: LAIONDownloader/2.0\nDisallow: /photos/", "/photos/a.jpg", "laiondownloader"),
        ("User-agent: LAIONDownloader\nDisallow: /photos/", "/blog/a.jpg", None),
        ("User-agent: CCBot\nDisallow:", "/a.jpg", None),
        ("User-agent: CCBot\nDisallow: /\nAllow: /free/", "/free/a.jpg", None),
        ("User-agent: GPTBot\nDisallow: /", "/a.jpg", None),
        ("User-agent: CCBot\nDisallow: /\n\nUser-agent: curate\nAllow: /", "/a.jpg", None),
        ("User-agent: *\nDisallow: /", "/a.jpg", None),  # that is robots.txt's own business
    ],
)
def test_who_shuts_out_trainers_shuts_us_out(robots: str, path: str, agent: str | None) -> None:
    assert signals.parse(robots).shuts_out(HOME + path) == agent


@pytest.mark.parametrize(
    ("signal", "usage", "said"),
    [
        ([], [], None),
        (["search=yes,ai-train=no"], [], "Content-Signal"),
        (["search=yes", "ai-train=no"], [], "Content-Signal"),
        (["ai-train=yes, ai-input=no"], [], None),
        ([], ["train-ai=n"], "Content-Usage"),
        ([], ["train-ai=?0"], "Content-Usage"),
        ([], ["train-ai=y;why=1, search=n"], None),
        (["ai-train=yes"], ["train-genai=n"], "Content-Usage"),
    ],
)
def test_headers(signal: list[str], usage: list[str], said: str | None) -> None:
    assert signals.refused_by_headers(signal, usage) == said


def test_links_to_licences() -> None:
    links = [
        '<https://creativecommons.org/licenses/by/4.0/>; rel="license", </rsl.xml>; rel="license"; '
        'type="application/rsl+xml"',
        "<https://x.example/a.xml>;type=application/rsl+xml;rel=license",
        '<next.html>; rel=next; type="application/rsl+xml"',
    ]
    assert list(signals.rsl_links(links)) == ["/rsl.xml", "https://x.example/a.xml"]


@given(st.text(max_size=200))
def test_any_text_says_something_or_nothing(text: str) -> None:
    found = signals.parse(text)
    assert found.refusal(HOME + "/a") in {None, "Content-Signal", "Content-Usage"}
    assert found.shuts_out(HOME + "/a") in {None, *signals.TRAINERS}
    assert list(signals.rsl_links([text])) is not None


def licence(*contents: str) -> bytes:
    return f'<rsl xmlns="https://rslstandard.org/rsl">{"".join(contents)}</rsl>'.encode()


def content(url: str, terms: str, attributes: str = "") -> str:
    return f'<content url="{url}" {attributes}><license>{terms}</license></content>'


@pytest.mark.parametrize(
    ("terms", "granted"),
    [
        ("", True),
        ('<permits type="usage">ai-train search</permits><payment type="free"/>', True),
        ('<permits type="usage">all</permits>', True),
        ('<permits type="usage">search,ai-index</permits>', False),
        ('<prohibits type="usage">ai-train</prohibits>', False),
        ('<permits type="usage">all</permits><prohibits type="usage">ai-all</prohibits>', False),
        ('<permits type="usage">ai-train</permits><payment type="purchase"/>', False),
        ('<permits type="usage">ai-train</permits><payment type="attribution"/>', False),
        ('<permits type="usage">ai-train</permits><permits type="user">education</permits>', False),
    ],
)
def test_what_an_rsl_licence_grants(terms: str, granted: bool) -> None:
    assert rsl.parse(licence(content("/", terms))).grants(f"{HOME}/a.jpg") is granted


def test_the_most_specific_content_counts_and_what_it_does_not_speak_of_is_open() -> None:
    free, none = '<permits type="usage">ai-train</permits>', '<prohibits type="usage">all</prohibits>'
    found = rsl.parse(licence(content("/photos/", none), content(f"{HOME}/photos/free/*", free)))
    assert found.grants(f"{HOME}/photos/1.jpg") is False
    assert found.grants(f"{HOME}/photos/free/1.jpg") is True
    assert found.grants(f"{HOME}/blog/1.jpg") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found</html>",
        b"<rsl",
        b"\xff\xfe",
        licence(),
        licence(content("/", "", 'server="https://licences.example"')),
        licence('<content url="/"/>'),
    ],
)
def test_what_cannot_be_read_or_must_be_asked_for_grants_nothing(body: bytes) -> None:
    assert rsl.parse(body).grants(f"{HOME}/a.jpg") is False
