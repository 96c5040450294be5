"""Walking a shop by its site file: roles, groups, requirements, encodings, loops, refusals."""

from __future__ import annotations

import contextlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from curate.pipeline.core.errors import UsageError, YieldError
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.sources.site_file import read
from curate.pipeline.tables import manifest
from tests.support.http_server import Site, photo

SHOP = """
name: demo-shop
start: ["{url}/swim/{{query}}?kw={{query}}&p={{page}}"]
query_encoding: {encoding}
listing: {{item: "ul.items a.card", attr: href, next: ".pager .next a", max_pages: 5}}
item:
  id: {{jsonld: sku, css: "[data-sku]@data-sku", regex: "/item/(\\\\d+)"}}
  title: {{jsonld: name, css: h1}}
  license: {{css: "a[rel=license]@href", default: unknown}}
  exclude_text: [キッズ]
  images:
    - {{role: article, css: ".gallery img", where: {{alt: "商品|flat"}}, pick: first}}
    - {{role: human, css: ".gallery img", where: {{alt: "着用|model"}}, max: 2}}
  require: [article, human]
"""


def shop(site: Site, folder: Path, encoding: str = "utf-8", **changes: str) -> Query:
    text = SHOP.format(url=site.url(""), encoding=encoding)
    for old, new in changes.items():
        text = re.sub(rf"(?m)^(\s*){old}:.*$", rf"\g<1>{old}: {new}", text)
    (folder / "site.yaml").write_text(text, "utf-8")
    return Query(source="html", site="site.yaml", query="水着", domain="swim")


def item(site: Site, number: int, title: str, *alts: str, head: str = "", encoding: str = "utf-8") -> None:
    pictures = "".join(f'<img src="/p/{number}-{n}.jpg" alt="{alt}">' for n, alt in enumerate(alts))
    html = f'<html><head>{head}</head><body><h1>{title}</h1><div class="gallery">{pictures}</div></body></html>'
    site.add(f"/item/{number}", html.encode(encoding), mime="text/html")
    for n in range(len(alts)):
        site.add(f"/p/{number}-{n}.jpg", photo(100 * number + n))


def listing(site: Site, page: str, items: list[str], following: str | None = None, head: str = "") -> None:
    links = "".join(f'<li><a class="card" href="{href}">x</a></li>' for href in items)
    pager = f'<div class="pager"><span class="next"><a href="{following}">次</a></span></div>' if following else ""
    site.add(page, f"<html><head>{head}</head><ul class=items>{links}</ul>{pager}</html>", mime="text/html")


def start(encoding: str = "utf-8") -> str:
    sent = quote("水着".encode(encoding))
    return f"/swim/{sent}?kw={sent}&p=1"


def collected(site: Site, root: Path, query: Query, **changes: Any) -> list[dict[str, Any]]:
    section = Scrape(
        **{"contact": "me@example.org", "delay": 0.0, "allow_unknown_license": True, "queries": (query,), **changes}
    )
    with contextlib.suppress(YieldError):  # a walk that ends with nothing has its table all the same
        scrape.run(section, root, allow=(site.host,))
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: row["rank"])


def short(row: dict[str, Any]) -> tuple[str, str | None, str]:
    return str(row["title"]), row["role"], row["reason"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp"])
def test_pairs_by_role_from_japanese_pages(site: Site, tmp_path: Path, encoding: str) -> None:
    listing(site, start(encoding), ["/item/1#top", "/item/1", "/item/2"])
    item(site, 1, "花柄の水着", "商品", "着用 1", "着用 2", "着用 3", "飾り", encoding=encoding)
    item(site, 2, "青い水着", "商品", "着用", encoding=encoding)
    rows = collected(site, tmp_path, shop(site, tmp_path, encoding))
    assert [short(row) for row in rows] == [
        ("花柄の水着", "article", "ok"),
        ("花柄の水着", "human", "ok"),
        ("花柄の水着", "human", "ok"),
        ("青い水着", "article", "ok"),
        ("青い水着", "human", "ok"),
    ]
    assert len({row["group_id"] for row in rows[:3]}) == len({row["group_id"] for row in rows[3:]}) == 1
    assert rows[0]["group_id"] != rows[3]["group_id"]
    assert {row["query"] for row in rows} == {"水着"}
    assert rows[0]["page_url"] == site.url("/item/1")


def test_items_that_are_excluded_or_incomplete_are_not_fetched(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1", "/item/2", "/item/3", "/item/4"])
    item(site, 1, "キッズ水着", "商品", "着用")
    item(site, 2, "水着", "商品")
    item(site, 3, "水着", "飾り")
    item(site, 4, "水着", "商品", "着用", head='<meta name="robots" content="noai">')
    rows = collected(site, tmp_path, shop(site, tmp_path))
    assert [row["reason"] for row in rows] == ["excluded"] * 2 + ["incomplete"] * 2 + ["optout_meta"] * 2
    assert not [path for path in site.counts() if path.startswith("/p/")]


def test_a_pager_that_loops_ends(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1"], following="/more")
    listing(site, "/more", ["/item/2"], following=start())
    item(site, 1, "A", "flat", "model")
    item(site, 2, "B", "flat", "model")
    assert len(collected(site, tmp_path, shop(site, tmp_path))) == 4
    assert site.counts()["/more"] == 1


def test_a_page_without_new_items_ends_the_walk(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1"], following="/more")
    listing(site, "/more", ["/item/1"], following="/again")
    item(site, 1, "A", "flat", "model")
    assert len(collected(site, tmp_path, shop(site, tmp_path))) == 2
    assert site.counts()["/again"] == 0


def test_pages_are_counted_up_where_there_is_no_pager(site: Site, tmp_path: Path) -> None:
    for page in (1, 2, 3):
        listing(site, start()[:-1] + str(page), [f"/item/{page}"] if page < 3 else [])
        item(site, page, str(page), "flat", "model")
    listed = '{item: "ul.items a.card", max_pages: 5}'
    assert len(collected(site, tmp_path, shop(site, tmp_path, listing=listed))) == 4


def test_an_item_page_that_fails_is_one_row(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1", "/item/2", "http://elsewhere.example/item/3"])
    item(site, 2, "B", "flat", "model")
    rows = collected(site, tmp_path, shop(site, tmp_path))
    assert [row["reason"] for row in rows] == ["http_4xx", "ok", "ok", "other_host"]
    assert rows[0]["page_url"] == site.url("/item/1")


def test_pictures_on_other_hosts_are_not_fetched(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1"])
    site.page(
        "/item/1",
        '<h1>A</h1><div class=gallery><img src="http://cdn.example/a.jpg" alt=flat><img src="/b.jpg" alt=model></div>',
    )
    site.add("/b.jpg", photo())
    assert [row["reason"] for row in collected(site, tmp_path, shop(site, tmp_path))] == ["other_host", "ok"]


def test_the_page_is_named_to_its_own_host(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1"])
    item(site, 1, "A", "flat", "model")
    collected(site, tmp_path, shop(site, tmp_path))
    sent = {r.path: r.headers.get("Referer") for r in site.requests}
    assert sent["/p/1-0.jpg"] == site.url("/item/1")
    assert sent["/item/1"] is None


def test_a_gallery_shows_its_pictures_itself(site: Site, tmp_path: Path) -> None:
    site.page(
        "/gallery", '<img src="1.jpg" alt="One"><a class=p href="2.jpg">Two</a><img src="1.jpg"><img src="logo.svg">'
    )
    for n in (1, 2):
        site.add(f"/{n}.jpg", photo(n))
    site.add("/logo.svg", "<svg/>")
    (tmp_path / "site.yaml").write_text(
        f"name: gallery\nstart: ['{site.url('/gallery')}']\nlisting: {{item: 'img, a.p'}}\n", "utf-8"
    )
    rows = collected(site, tmp_path, Query(source="html", site="site.yaml"))
    assert [short(row) for row in rows] == [("One", None, "ok"), ("Two", None, "ok"), ("None", None, "not_image")]
    assert {row["domain"] for row in rows} == {"site"}


def test_nofollow_is_obeyed(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1"], head='<meta name="robots" content="nofollow">')
    assert collected(site, tmp_path, shop(site, tmp_path)) == []
    assert site.counts()["/item/1"] == 0


def test_a_product_is_finished_when_enough_is_wanted(site: Site, tmp_path: Path) -> None:
    listing(site, start(), ["/item/1", "/item/2", "/item/3"])
    for number in (1, 2, 3):
        item(site, number, str(number), "flat", "model")
    rows = collected(site, tmp_path, shop(site, tmp_path), want=3)
    assert [short(row) for row in rows] == [(n, role, "ok") for n in "12" for role in ("article", "human")]
    assert site.counts()["/p/3-0.jpg"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "[1]"}, r"site\.yaml:2: site\.name: \[1\]: expected `str`"),
        (
            {"exclude_text": "[]\n  titel: {css: h1}"},
            r"site\.yaml:11: site\.item\.titel: there is no such key; did you mean 'title'",
        ),
        ({"title": "{jsonld: name, css: 'h1['}"}, r"site\.yaml:8: site\.item\.title\.css: "),
        ({"id": "{regex: '('}"}, r"site\.yaml:7: site\.item\.id\.regex: "),
        ({"require": "[article, model]"}, r"site\.yaml:14: site\.item\.require: no picture has the role model"),
        ({"query_encoding": "klingon"}, r"site\.yaml:4: site\.query_encoding: unknown encoding"),
        ({"start": "[]"}, r"site\.yaml:3: site\.start: \[\]: expected `array` of length >= 1"),
        ({"start": "[a"}, r"site\.yaml:\d+: not valid YAML"),
        ({"start": "['http://[bad']"}, r"site\.yaml:3: site\.start\[0\]: Invalid IPv6"),
        ({"start": "['ftp://x/{{page}}']"}, r"site\.yaml:3: site\.start\[0\]: ftp: is not fetched"),
        ({"name": "x\nallowed_hosts: [x.example, 'http://x']"}, r"site\.yaml:3: site\.allowed_hosts\[1\]: no host"),
        ({"name": "x\nallowed_hosts: ['x:99999']"}, r"site\.yaml:3: site\.allowed_hosts\[0\]: Port out of range"),
        ({"name": "x\ndelay: .inf"}, r"site\.yaml:3: site\.delay: inf: expected a number from -2147483647"),
        ({"name": "x\n1: 2"}, r"site\.yaml:1: site: .*expected `str`"),
        pytest.param(
            {"name": "x\nparser: html5lib"},
            r"site\.yaml:3: site\.parser: html5lib is not installed",
            marks=pytest.mark.skipif(find_spec("html5lib") is not None, reason="html5lib is installed"),
        ),
        ({"name": "x\nhtml_encoding: base64"}, r"site\.yaml:3: site\.html_encoding: unknown encoding"),
    ],
)
def test_a_bad_site_file_names_file_line_and_key(
    site: Site, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        collected(site, tmp_path, shop(site, tmp_path, **change))
    assert not site.requests


def test_a_missing_site_file_and_a_missing_query_are_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such site file"):
        collected(site, tmp_path, Query(source="html", site="none.yaml"))
    with pytest.raises(UsageError, match="--site FILE"):
        collected(site, tmp_path, Query(source="html"))
    shop(site, tmp_path)
    with pytest.raises(UsageError, match="--query TEXT"):
        collected(site, tmp_path, Query(source="html", site="site.yaml"))


def test_the_specification_s_example_is_a_site_file(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        """
name: demo-shop
allowed_hosts: [shop.example, img.shop.example]
start: ["https://shop.example/swim/?kw={query}&p={page}"]
query_encoding: utf-8
html_encoding: null
delay: 2.0
terms_checked: 2026-11-20
listing: {item: "ul.items > li a.card", attr: href, max_pages: 20,
          next: "a[rel=next], .pager .next a", page_start: 1, max_items: 2000}
item:
  id: {jsonld: "sku", css: "[data-sku]@data-sku", regex: "/item/(\\\\d+)"}
  title: {jsonld: "name", css: "h1"}
  license: {css: "a[rel=license]@href", default: unknown}
  exclude_text: ["キッズ", "ジュニア", "ベビー", "子供", "スクール"]
  images:
    - {role: article, css: ".gallery img", where: {alt: "商品|単体|flat", src: "_p\\\\d"}, pick: first}
    - {role: human, css: ".gallery img", where: {alt: "着用|モデル", src: "_m\\\\d"}, pick: all, max: 4}
    - {role: null, jsonld: "image"}
  require: [article, human]
""",
        "utf-8",
    )
    assert read(path).terms_checked == "2026-11-20"
