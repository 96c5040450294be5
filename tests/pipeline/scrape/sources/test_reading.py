"""Reading what pages say: srcset, lazy images, structured data, licences, free text."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.scrape.sources import html_images, jsonld, licenses
from curate.pipeline.scrape.sources.candidate import tidy

PAGE = "https://shop.example/items/7"


def chosen(html: str, page: str = PAGE) -> str | None:
    soup = BeautifulSoup(html, "lxml")
    element = soup.select_one("img.it") or soup.select_one("img")
    assert isinstance(element, Tag)
    return html_images.picture_url(element, html_images.base_of(soup, page))[0]


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ('<img src="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="../a.jpg">', "https://shop.example/a.jpg"),
        ('<img src="//cdn.example/a.jpg">', "https://cdn.example/a.jpg"),
        ('<img src=" /a&amp;b.jpg\n">', "https://shop.example/a&b.jpg"),
        ('<base href="/other/"><img src="a.jpg">', "https://shop.example/other/a.jpg"),
        ('<img src="s.jpg" srcset="m.jpg 640w, l.jpg 1280w, s.jpg 320w">', "https://shop.example/items/l.jpg"),
        ('<img src="s.jpg" srcset="m.jpg, l.jpg 2x">', "https://shop.example/items/l.jpg"),
        ('<img srcset="/t/w_100,h_50/a.jpg 100w, /t/w_900,h_9/a.jpg 900w">', "https://shop.example/t/w_900,h_9/a.jpg"),
        ('<img src="blank.gif" data-src="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="data:image/gif;base64,R0" data-original="a.jpg">', "https://shop.example/items/a.jpg"),
        ('<img src="s.jpg" data-src="m.jpg" data-zoom-image="l.jpg">', "https://shop.example/items/l.jpg"),
        ('<a href="/big/a.jpg"><img src="s.jpg"></a>', "https://shop.example/big/a.jpg"),
        ('<a href="/item/8"><img src="s.jpg"></a>', "https://shop.example/items/s.jpg"),
        ('<img src="loading.gif"><noscript><img src="a.jpg"></noscript>', "https://shop.example/items/a.jpg"),
        ('<img src="/now_printing.jpg">', None),
        ("<img>", None),
        (
            '<picture><source type="image/x-new" srcset="n.new 9000w"><source type="image/webp" srcset="l.webp 2000w">'
            '<img src="s.jpg"></picture>',
            "https://shop.example/items/l.webp",
        ),
    ],
)
def test_the_best_picture_of_an_element(html: str, url: str | None) -> None:
    assert chosen(html) == url


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a.jpg", [("a.jpg", 0, 1)]),
        ("a.jpg, b.jpg 2x", [("a.jpg", 0, 1), ("b.jpg", 0, 2)]),
        ("a,b.jpg 1x, c.jpg 2x", [("a,b.jpg", 0, 1), ("c.jpg", 0, 2)]),
        ("a.jpg,", [("a.jpg", 0, 1)]),
        (",, a.jpg 100w ,b.jpg 1.5x", [("a.jpg", 100, 1), ("b.jpg", 0, 1.5)]),
        ("a.jpg bad, b.jpg 10w", [("b.jpg", 10, 1)]),
        ("a.jpg 100w 50h, b.jpg (x, y) 10w, c.jpg", [("a.jpg", 100, 1), ("c.jpg", 0, 1)]),
    ],
)
def test_srcset(text: str, found: list[tuple[str, float, float]]) -> None:
    assert html_images.parse_srcset(text) == found


urls = st.from_regex(r"[a-z0-9/_.:?=-]([a-z0-9/_.,:?=-]{0,20}[a-z0-9/_.:?=-])?", fullmatch=True)


@given(st.lists(st.tuples(urls, st.integers(1, 9999)), max_size=6))
def test_a_written_srcset_is_read_back(candidates: list[tuple[str, int]]) -> None:
    text = ", ".join(f"{url} {width}w" for url, width in candidates)
    assert [(s.url, s.width) for s in html_images.parse_srcset(text)] == candidates


@given(st.text(max_size=80))
def test_any_srcset_is_read(text: str) -> None:
    assert all(source.url for source in html_images.parse_srcset(text))


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (("https://creativecommons.org/licenses/by-sa/4.0/",), "cc-by-sa-4.0"),
        (("http://creativecommons.org/licenses/by-nc-nd/2.0/jp/deed.ja",), "cc-by-nc-nd-2.0"),
        (("https://creativecommons.org/publicdomain/zero/1.0/",), "cc0-1.0"),
        (("https://creativecommons.org/publicdomain/mark/1.0/",), "pdm-1.0"),
        (("CC BY-SA 3.0",), "cc-by-sa-3.0"),
        (("CC-BY-SA-3.0",), "cc-by-sa-3.0"),
        (("cc-by-sa-3.0",), "cc-by-sa-3.0"),
        (("CC BY",), "cc-by"),
        (("CC0",), "cc0-1.0"),
        (("Public domain",), "public-domain"),
        (("All rights reserved",), "all-rights-reserved"),
        ((None, "", "cc by 2.5"), "cc-by-2.5"),
        (("https://example.org/licence", "CC BY 4.0"), "cc-by-4.0"),
        (("CC BY-ND-SA 4.0",), "unknown"),
        (("https://creativecommons.org/licenses/by/9.9/",), "unknown"),
        (("byway of cc",), "unknown"),
        ((), "unknown"),
    ],
)
def test_licence_codes(texts: tuple[str | None, ...], code: str) -> None:
    assert licenses.code(*texts) == code


@pytest.mark.parametrize(
    ("code", "family"),
    [("cc-by-sa-4.0", "by-sa"), ("cc0-1.0", "cc0"), ("pdm-1.0", "pdm"), ("cc-by", "by"), ("unknown", "unknown")],
)
def test_licence_families(code: str, family: str) -> None:
    assert licenses.family(code) == family


@given(st.text(max_size=60))
def test_any_text_has_one_code_and_codes_are_stable(text: str) -> None:
    code = licenses.code(text)
    assert licenses.code(code) == code


def structured(*blocks: str) -> list[dict[str, object]]:
    scripts = "".join(f'<script type="application/ld+json">{block}</script>' for block in blocks)
    return jsonld.things(BeautifulSoup(scripts, "lxml"))  # type: ignore[return-value]


def test_structured_data_in_every_shape() -> None:
    found = structured(
        '{"@type": "BreadcrumbList", "name": "crumbs"}',
        "{broken",
        '<!-- [{"@graph": [{"@type": ["Product"], "name": "水着", "brand": {"name": "Mika"}, "image": ["a.jpg", '
        '{"@type": "ImageObject", "contentUrl": "b.jpg", "license": "L", "creator": {"name": "C"}}, 7]}]}] -->',
    )
    assert jsonld.text(found, "name") == "水着"
    assert jsonld.text(found, "brand") == "Mika"
    assert jsonld.text(found, "sku") is None
    assert jsonld.pictures(found) == [("a.jpg", None, None), ("b.jpg", "L", "C")]


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(st.sampled_from(["@graph", "@type", "image", "name", "url"]), x, max_size=3)
        ),
    )
)
def test_any_structured_data_is_read(value: object) -> None:
    import json

    found = structured(json.dumps(value).replace("</", "<\\/"))
    jsonld.text(found, "name")
    jsonld.pictures(found)


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("  a\n b\t ", "a b"),
        ("<b>Mika</b> <a href='x'>y</a>", "Mika y"),
        ("\x00", None),
        ("", None),
        (None, None),
        (7, "7"),
        ({}, None),
        ("か\u3099", "が"),
        ("x" * 900, "x" * 500),
    ],
)
def test_free_text_is_tidied(text: object, tidied: str | None) -> None:
    assert tidy(text) == tidied
