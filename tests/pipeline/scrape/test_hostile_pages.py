"""A web site whose pages say whatever they can: each costs its own candidates, and all others are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query
from curate.pipeline.tables import manifest
from tests.pipeline.scrape.test_stage import rows, section
from tests.support.fake_apis import KINDS, item, stand_in
from tests.support.http_server import Site, photo

ADDRESSES = [  # of which none can be asked
    *("http://[bad", "http://x:99999/a.jpg", "//[", "http://a:b:c/", "http://a..b/x.jpg"),
    *("http://\ud83d.example/", "http://℀.example/a.jpg", "http://x／.com/", f"http://{'a' * 300}.com/x.jpg"),
    *("http://...", "http://x:-1/a", "http://x:8 0/", "http://x:١/a.jpg", "http://a b/c.jpg", "http://\u202eevil/"),
    *("http://\x00/", "http://user:pass@[/", "http://[::1%25eth0]/", "http://x/" + "a" * 100_000),
]
VALUES = {  # of JSON
    "half a character": '"\\ud800"',
    "nested deeply": "[" * 5000 + "]" * 5000,
    "nested a little": "[" * 300 + "]" * 300,
    "objects": '{"@graph":' * 400 + "1" + "}" * 400,
    "no number": "NaN",
    "infinite": "1e999",
    "of 400 digits": "1" * 400,
    "of 5000 digits": "9" * 5000,
    "a million characters": '"' + "x" * 1_000_000 + '"',
    "nothing": "null",
    "lists": "[[[[1]]]]",
    "a reference to none": '{"@id": ["a"]}',
}
CHARSETS = "hex base64 rot13 idna punycode zip undefined unicode_escape utf-7 utf-16 héx".split()

SITE = """
name: shop
start: ["{start}"]
terms_checked: 2026-11-01
listing: {{item: "a.card, img.card", attr: href, next: "a.next"}}
item:
  license: {{jsonld: license, css: "a[rel=license]@href"}}
  images: [{{css: ".g img, .g div", jsonld: image}}]
"""


def picture(address: str = "/2.jpg", *, head: str = "", more: str = "") -> str:
    shown = address.replace('"', "&quot;")
    return f'<head>{head}</head><h1>p</h1>{more}<div class=g><img src="{shown}"></div>'


def linked(**said: str) -> str:
    """Structured data with JSON as it stands."""
    facts = "".join(f', "{key}": {value}' for key, value in said.items())
    return f'<script type="application/ld+json">{{"@type": "Product", "name": "p"{facts}}}</script>'


def of_addresses() -> Iterator[str]:
    """Pages on which an address that is none stands in each place where one is read."""
    for said in ADDRESSES:
        quoted, stated = said.replace('"', "&quot;"), json.dumps(said)
        yield picture(said)
        yield picture(more=f'<div class=g><img data-src="{quoted}" srcset="{quoted} 2000w, /2.jpg 9w"></div>')
        yield picture(more=f'<div class=g><div style="background:url({quoted})"></div></div>')
        yield picture(head=f'<base href="{quoted}">')
        yield picture(head=f'<link rel=canonical href="{quoted}"><meta property="og:url" content="{quoted}">')
        yield picture(head=f'<link rel=license type="application/rsl+xml" href="{quoted}">')
        yield picture(more=f'<a rel=license href="{quoted}">free</a>')
        yield picture(more=linked(**dict.fromkeys(("image", "url", "license", "@id", "mainEntityOfPage"), stated)))
        thing = f'{{"@type": "ImageObject", "contentUrl": {stated}, "license": {stated}, "creator": {stated}}}'
        yield f"<h1>p</h1>{linked(image=thing)}"


def of_values() -> Iterator[str]:
    """Pages whose structured data hold values that no page should have."""
    for said in VALUES.values():
        for key in ("image", "license", "creator", "@id", "offers", "isVariantOf", "@graph", "itemListElement"):
            yield picture(more=linked(**{key: said}))
        thing = f'{{"@type": "ImageObject", "contentUrl": "/2.jpg", "license": {said}, "creator": {said}}}'
        yield f"<h1>p</h1>{linked(image=thing)}"
        yield picture(more=f"""<div class=g><img data-a='[{said}]' data-b='{{"a.jpg": [{said}]}}'></div>""")


def walked(site: Site, root: Path, listing: str, pages: list[bytes], **changes: Any) -> list[dict[str, Any]]:
    """The rows of a shop with `pages` between two good ones. The first picture and the last are looked for, too."""
    for path in ("/first", "/last"):
        site.page(path, picture(f"{path}.jpg"))
    for n, path in enumerate(("/first.jpg", "/2.jpg", "/last.jpg")):
        site.add(path, photo(n))
    for n, page in enumerate(pages):
        site.add(f"/i/{n}", page.replace(b"/2.jpg", b"/2.jpg?%d" % n), mime="text/html")
    links = "".join(f"<a class=card href=/i/{n}>{n}</a>" for n in range(len(pages)))
    html = f"<a class=card href=/first>1</a>{links}{listing}<a class=card href=/last>3</a>"
    site.add("/list", html.encode("utf-8", "surrogatepass"), mime="text/html; charset=utf-8")
    (root / "site.yaml").write_text(SITE.format(start=site.url("/list")), "utf-8")
    query = Query(source="html", site="site.yaml", domain="shop")
    scrape.run(section(query, tries=1, **changes), root, allow=(site.host,))
    found = rows(root)
    good = [row["image_url"] for row in found if row["status"] == manifest.ACCEPTED]
    assert {site.url("/first.jpg"), site.url("/last.jpg")} <= set(good)
    return found


@pytest.mark.parametrize("kind", [of_addresses, of_values])
def test_whatever_a_page_says_costs_its_own_candidates(site: Site, tmp_path: Path, kind: Any) -> None:
    pages = [page.encode("utf-8", "surrogatepass") for page in kind()]
    found = walked(site, tmp_path, "", pages)
    told = {row["page_url"] for row in found}
    assert told == {site.url(path) for path in ("/first", "/last", *(f"/i/{n}" for n in range(len(pages))))}
    asked = len(site.requests)
    assert walked(site, tmp_path, "", pages) == found
    assert len(site.requests) == asked


def test_no_name_of_an_encoding_ends_a_walk(site: Site, tmp_path: Path) -> None:
    pages = [f"<meta charset={name}>{picture()}".encode() for name in CHARSETS]
    pages += [f'<?xml version="1.0" encoding="{name}"?>{picture()}'.encode() for name in CHARSETS]
    found = walked(site, tmp_path, "", [*pages, b"<meta charset=a\0b>" + picture().encode()])
    assert len(found) == 2 + 2 * len(CHARSETS) + 1
    assert {row["reason"] for row in found} == {"ok", "duplicate"}


def test_a_link_that_cannot_be_parsed_is_a_row(site: Site, tmp_path: Path) -> None:
    links = "".join(f'<a class=card href="{said}">x</a><img class=card src="{said}">' for said in ADDRESSES[:4])
    found = walked(site, tmp_path, links, [picture().encode()])
    assert [row["reason"] for row in found].count("bad_url") == 4


def test_a_redirect_that_cannot_be_parsed_costs_what_it_was_asked_for(site: Site, tmp_path: Path) -> None:
    listed = []
    for n, said in enumerate(ADDRESSES):
        location = said[:5000].encode("utf-8", "surrogatepass").decode("latin-1")
        site.add(f"/r/{n}", status=302, Location=location)
        site.add(f"/r/{n}.jpg", status=302, Location=location)
        listed.append(picture(f"/r/{n}.jpg").encode())
    links = "".join(f"<a class=card href=/r/{n}>x</a>" for n in range(len(ADDRESSES)))
    found = walked(site, tmp_path, links, listed)
    assert len(found) == 2 + 2 * len(ADDRESSES)
    assert [row["reason"] for row in found].count("ok") == 2
    assert {row["reason"] for row in found if "/r/0" in str(row["image_url"] or row["page_url"])} == {"bad_url"}


@pytest.mark.parametrize("said", ["http://[bad", "http://x:99999/"])
def test_a_licence_whose_address_cannot_be_parsed_grants_nothing(site: Site, tmp_path: Path, said: str) -> None:
    site.add("/l.xml", f'<rsl><content url="{said}"><license/></content></rsl>', mime="application/xml")
    head = '<link rel=license type="application/rsl+xml" href="{}">'
    pages = [picture(f"/{n}.jpg", head=head.format(one)).encode() for n, one in enumerate((said, "/l.xml"))]
    found = walked(site, tmp_path, "", pages)
    assert [row["reason"] for row in found] == ["ok", "optout_signal", "optout_signal", "ok"]
    site.add("/robots.txt", f"License: {said}", mime="text/plain")
    (tmp_path / "again").mkdir()
    with pytest.raises((YieldError, AssertionError)):
        walked(site, tmp_path / "again", "", pages)
    assert {row["reason"] for row in rows(tmp_path / "again")} == {"optout_signal"}


def test_a_broken_item_of_an_api_costs_itself(site: Site, tmp_path: Path) -> None:
    said = ["\ud800", *ADDRESSES[:4], "x" * 1_000_000, 10**300, [[1]], {}, None, True]
    keys = ("url", "title", "creator", "license", "license_url", "foreign_landing_url", "creator_url", "width")
    stand, kind = stand_in(site, "openverse"), KINDS["openverse"]
    broken = [{**item(stand, n), key: one} for n, (key, one) in enumerate(product(keys, said))]
    good = [item(stand, 1000 + n) for n in range(len(broken))]
    pages = [[*good[n : n + 10], *broken[n : n + 10]] for n in range(0, len(broken), 10)]
    stand.also(stand.path, lambda params: json.dumps(kind.page(pages[kind.number(params) - 1], params, len(pages))))
    query = Query(source="openverse", query="hair", base_url=stand.base)
    scrape.run(section(query, tries=1, min_side=1), tmp_path, allow=(site.host,))
    found = rows(tmp_path)
    assert len(found) >= len(good) + len(broken) - len(said)
    assert {row["image_url"] for row in found if row["reason"] == "ok"} >= {one["url"] for one in good}


def test_a_dry_run_of_a_hostile_site_ends(site: Site, tmp_path: Path) -> None:
    deep = "<div>" * 3000
    pages = [picture(head='<base href="http://[bad">'), f"<h1>p</h1>{linked(name=VALUES['half a character'])}", deep]
    walked(site, tmp_path, "", [page.encode() for page in pages])
    query = Query(source="html", site="site.yaml", domain="shop")
    [seen] = scrape.previews(section(query), tmp_path, allow=(site.host,))
    assert [one["refused"] for one in seen.candidates].count("decode_failed") == 1
    json.dumps([dict(one) for one in seen.candidates], ensure_ascii=False).encode()
