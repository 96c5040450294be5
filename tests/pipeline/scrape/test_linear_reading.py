"""Pages, headers and files of origins that are made to be read slowly.

Nothing is timed: where a reader needs the square of a length again, or worse, a test here takes minutes to days.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from curate.pipeline.scrape.sources import Pages, html_page, licenses
from curate.pipeline.scrape.sources.candidate import storable, tidy
from curate.pipeline.scrape.sources.html import _Walk
from curate.pipeline.scrape.sources.html_page import HtmlPage
from curate.pipeline.scrape.sources.site_file import SiteFile, read
from curate.pipeline.scrape.sources.srcset import parse_srcset
from curate.pipeline.scrape.sources.variants import stem
from curate.pipeline.scrape.web import optout, robots, rsl, signals, tdmrep
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response

LONG = 1_000_000  # characters
HERE = "http://x.example/i/1"

SITE = """
name: shop
start: [http://x.example/]
listing: {item: a}
item:
  variant: {css: .colour}
  images: [{css: ".g img, .g div, .g a", jsonld: image}]
"""

ATTRIBUTES = {  # of an image, each repeated until it is long
    "srcset": ["a (", ",", "a 1w ", "a 1111", "( ", "a,"],
    "data-src": [" ", "url(", "{ ", "{width", "%7bw", "/", " 1", "url( x", "/.", "url(&quot;"],
    "style": ["url(", "url(x ", "url('", "url(&quot;", "url(&quot;x "],
    "src": ["_1x", "_thumb", "/w_1"],
    "alt": ["<a", "red ", "<"],
    "data-widths": ["1,", "9"],
}
NESTED = {  # elements around or beside an image, and how many
    "deep": ("<div>" * 20_000, ""),
    "deep, with pictures": ("<div><img src=/a.jpg>" * 5000, ""),
    "unclosed": ("<p><a href=x>" * 5000, ""),
    "deep, as sources are": ("<picture>" + "<source srcset=/a.jpg>" * 4000, "<img src=/b.jpg>" * 4000),
    "noscripts": ("", "<noscript><img src=/a.jpg></noscript>" * 1500),
    "captions": ("<figure>", "<img src=/a.jpg>" * 800 + "<figcaption>" + "x " * 50_000),
    "colours": ("", "".join(f"<img src=/{n}.jpg>" for n in range(800)) + "<p>x</p>" * 800),
}


def filled(piece: str, length: int = LONG) -> str:
    return piece * (length // len(piece))


@pytest.fixture
def site_file(tmp_path: Path) -> SiteFile:
    (tmp_path / "site.yaml").write_text(SITE)
    return read(tmp_path / "site.yaml")


def pictures(html: str, site: SiteFile) -> list[Any]:
    """What an item's page shows, up to its rows; none where it is refused as a whole."""
    response = Response(HERE, 200, html.encode(), "text/html", None, None, None, datetime.now(UTC))
    try:
        page = HtmlPage(response, site)
    except FetchError as error:
        assert error.reason == "decode_failed"
        return []
    walk = _Walk(site, frozenset({"x.example"}), cast(Pages, None))
    common = walk._described(page)
    return [storable(walk._shown(shown, common, None)) for shown in html_page.pictures(page, site.item)]


@pytest.mark.parametrize(("name", "piece"), [(name, piece) for name, many in ATTRIBUTES.items() for piece in many])
def test_no_attribute_holds_a_run(site_file: SiteFile, name: str, piece: str) -> None:
    good = "<img src=/good.jpg>"
    found = pictures(f'<h1>x</h1><div class=g>{good}<img src=/a.jpg {name}="{filled(piece)}x">{good}', site_file)
    assert HERE.replace("/i/1", "/good.jpg") in {one.image_url for one in found}


@pytest.mark.parametrize("name", NESTED)
def test_no_tree_holds_a_run(site_file: SiteFile, name: str) -> None:
    before, after = NESTED[name]
    found = pictures(f"<h1>x</h1><div class=g>{before}<img src=/good.jpg>{after}", site_file)
    assert bool(found) is not name.startswith(("deep", "unclosed"))


def test_no_picture_of_thousands_of_sources_holds_a_run(site_file: SiteFile) -> None:
    flat = msgspec.structs.replace(site_file, parser="html.parser")
    images = "".join(f"<img src=/{n}.jpg>" for n in range(1000))
    assert pictures(f"<div class=g><picture>{'<source srcset=/a.jpg>' * 4000}{images}", flat)


@pytest.mark.parametrize(
    "said",
    [
        "/*" * 200_000,
        "-->" * 200_000 + "x",
        json.dumps([{"@type": "Product", "name": f"p{n}", "@id": f"#{n}"} for n in range(3000)]),
        json.dumps({"@type": "Product", "name": "x", "image": [f"/{n}.jpg" for n in range(2000)]}),
        json.dumps({"@type": "Product", "name": "x", "license": "by nc " * 100_000, "creator": "<" * 500_000}),
    ],
    ids=["comments", "ends", "products", "pictures", "words"],
)
def test_no_structured_data_hold_a_run(site_file: SiteFile, said: str) -> None:
    data = f'<script type="application/ld+json">{said}</script>'
    pictures(f"{data}<h1>x</h1><div class=g>", site_file)


AGENTS = "".join(f"User-agent: a{n}\n" for n in range(12_000))
RULES = "Disallow: /x\n" * 12_000


@pytest.mark.parametrize(
    "text",
    [
        AGENTS + RULES,
        AGENTS.replace("\n", "\n# and\n") + RULES,
        AGENTS.replace("\n", "\nSitemap: x\n")[:250_000] + RULES,
        AGENTS.replace("\n", "\nand\n") + RULES,
        AGENTS.replace(": ", " ") + RULES,
        "".join(f"User-agent: c{'*' * (n % 400)}\n" for n in range(400)) + RULES[:60_000],
        f"User-agent: *\nDisallow: /{'*a' * 100_000}b",
        f"Content-Signal: {'a' * 450_000}",
        f"Content-Signal: a{' ' * 450_000}",
        f"User-agent: *\nRequest-rate: 1/{'9' * 400}\nCrawl-delay: inf",
    ],
    ids="agents remarks sitemaps words colonless stars pattern letters blanks numbers".split(),
)
def test_no_robots_txt_holds_a_run(text: str) -> None:
    rules = robots.parse(text.encode(), "text/plain")
    assert rules.verdict(f"http://x.example/{'a' * 5000}") == "allowed"
    assert rules.signals.refusal("http://x.example/") is None
    assert 0 <= rules.delay <= robots.LONGEST_DELAY


def test_agents_are_left_out_only_where_they_are_others() -> None:
    for agents in ("x\nUser-agent: *", "*\nUser-agent: x", "x\nUser-agent: y\nUser-agent: curate/1.0"):
        text = f"User-agent: {agents}\nDisallow: /x\nUser-agent: y\nUser-agent: z\nDisallow: /\n"
        rules = robots.parse(text.encode(), "")
        assert [rules.verdict(f"http://h/{path}") for path in "xy"] == ["robots_denied", "allowed"]
    closed = robots.parse(b"User-agent: a\nUser-agent: CCBot\nDisallow: /\n", "")
    assert closed.signals.shuts_out("http://h/") == "ccbot"


@pytest.mark.parametrize("piece", ["<", "<a> ;a", "<a>   ", "<a>;a   ", '<a>;a="', ":", "a ", ",", "a="])
def test_no_header_holds_a_run(piece: str) -> None:
    line = filled(piece, 65_000)
    assert not list(signals.rsl_links([line]))
    assert optout.refused_by_headers([line], None) is None
    assert signals.refused_by_headers([line], [line]) is None


def nested_contents() -> bytes:
    inside = "<permits>x</permits>" * 1000
    return f"<r>{'<content><license>' * 120}{inside}{'</license></content>' * 120}</r>".encode()


READERS: dict[str, Callable[[], object]] = {
    "rsl": lambda: rsl.parse(nested_contents()).grants(HERE),
    "tdmrep": lambda: tdmrep.parse(json.dumps([{"location": "/*a" * 5000, "tdm-reservation": 1}]).encode()).cover(HERE),
    "srcset": lambda: parse_srcset(filled("a (", 4 * LONG)),
    "stem": lambda: stem(f"http://x.example/a{filled('_thumb-12x12')}z.jpg"),
    "licence": lambda: licenses.code(filled("by nc ")),
    "title": lambda: tidy(filled("<a ", 20 * LONG)),
}


@pytest.mark.parametrize("name", READERS)
def test_no_text_holds_a_run(name: str) -> None:
    assert READERS[name]() in (False, None, "other", []) or name in {"stem", "title"}
