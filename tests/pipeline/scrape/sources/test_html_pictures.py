"""What a shop's pages show: stand-ins by their bytes, variants, words that exclude, hosts that are named."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.pipeline.core.errors import BlockedError, YieldError
from curate.pipeline.core.progress import SILENT, Task
from curate.pipeline.imaging import codec
from curate.pipeline.scrape import stage as scrape
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.tables import manifest
from tests.support.http_server import Site, photo


def flat(colour: int = 240, side: int = 300) -> bytes:
    return codec.encode_jpeg(np.full((side, side, 3), colour, np.uint8))


PIXEL = codec.encode_png(np.zeros((1, 1, 3), np.uint8))


class Notes:
    """Keeps what the person watching is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, name: str, total: int | None) -> Task:
        return SILENT.task(name, total)

    def note(self, text: str) -> None:
        self.said.append(text)


def walked(
    site: Site, root: Path, rules: str, *, start: str = "[{url}/list]", hosts: str = "[]", notes: Notes | None = None
) -> list[dict[str, Any]]:
    """The rows of a walk by `rules`, the section `item` of a site file."""
    text = f"name: s\nstart: {start}\nallowed_hosts: {hosts}\nlisting: {{item: a}}\nitem: {rules}\n"
    (root / "site.yaml").write_text(text.replace("{url}", site.url("")), "utf-8")
    query = Query(source="html", site=str(root / "site.yaml"), domain="s")
    section = Scrape(contact="me@example.org", delay=0.0, tries=1, allow_unknown_license=True, queries=(query,))
    with contextlib.suppress(YieldError):  # a walk that ends with nothing has its rows all the same
        scrape.run(section, root, allow=(site.host, "localhost"), progress=notes or Notes())
    return sorted(manifest.read(manifest.IMAGES, root).to_pylist(), key=lambda row: row["rank"])


def item(site: Site, html: str, number: int = 1, title: str = "T", head: str = "") -> None:
    site.page(f"/item/{number}", f"<html><head>{head}</head><body><h1>{title}</h1>{html}</body></html>")


def linked(site: Site, *numbers: int, page: str = "/list") -> None:
    site.page(page, "".join(f'<a href="/item/{n}?_pos={k}">x</a>' for k, n in enumerate(numbers)))


def names(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["image_url"].rpartition("/")[2], row["reason"]) for row in rows]


ALL = "{images: [{role: article, css: img}]}"


@pytest.mark.parametrize("nothing", [None, b"<html>gone</html>", flat(), flat(128, 4), PIXEL])
def test_an_address_that_gives_no_picture_is_followed_by_the_next(
    site: Site, tmp_path: Path, nothing: bytes | None
) -> None:
    linked(site, 1)
    item(site, '<img src="/s.jpg" data-zoom="/z.jpg" data-src="/m.jpg">')
    for path, data in (("/z.jpg", nothing), ("/m.jpg", photo(1)), ("/s.jpg", photo(2))):
        if data is not None:
            site.add(path, data)
    rows = walked(site, tmp_path, ALL)
    assert names(rows) == [("m.jpg", "ok")]
    assert site.counts()["/s.jpg"] == 0
    asked = site.counts().total()
    (tmp_path / "manifests/images.parquet").unlink()
    assert walked(site, tmp_path, ALL) == rows and site.counts().total() == asked, "the journal knows the address"


def test_where_no_address_gives_a_picture_the_nearest_to_one_is_the_reason(site: Site, tmp_path: Path) -> None:
    linked(site, 1, 2)
    item(site, '<img src="/s.jpg" data-zoom="/z.jpg">')
    item(site, '<img src="/grey.jpg">', 2)
    site.add("/s.jpg", codec.encode_jpeg(codec.decode(photo(1))[:40, :40]))
    site.add("/grey.jpg", flat())
    rows = walked(site, tmp_path, ALL)
    assert names(rows) == [("s.jpg", "too_small"), ("grey.jpg", "placeholder")]
    assert not [path for path in (tmp_path / "raw/images").glob("*/*") if path.is_file()]


def test_an_owner_s_no_holds_for_every_address(site: Site, tmp_path: Path) -> None:
    linked(site, 1)
    item(site, '<img src="/s.jpg" data-zoom="/z.jpg">')
    site.add("/z.jpg", photo(1), X_Robots_Tag="noai")
    site.add("/s.jpg", photo(2))
    assert names(walked(site, tmp_path, ALL)) == [("z.jpg", "optout_header")]


def test_listings_that_overlap_lose_nothing(site: Site, tmp_path: Path) -> None:
    linked(site, 1, 2, page="/new")
    for page, numbers in enumerate([(2, 1), (1, 2, 3), (4,), ()], 1):
        linked(site, *numbers, page=f"/all/{page}")
    for n in (1, 2, 3, 4):
        item(site, f'<img src="/{n}.jpg">', n)
        site.add(f"/{n}.jpg", photo(n))
    rows = walked(site, tmp_path, ALL, start="['{url}/new', '{url}/all/{page}']")
    assert names(rows) == [(f"{n}.jpg", "ok") for n in (1, 2, 3, 4)]
    assert len({row["group_id"] for row in rows}) == 4


SCRIPT = '<script type="application/ld+json">%s</script>'


@pytest.mark.parametrize(
    ("title", "alt", "head"),
    [
        ("ｼﾞｭﾆｱ 水着", "", ""),
        ("Swimsuit for JUNIORS", "", ""),
        ("Swimsuit", "ジュニア 着用", ""),
        ("Swimsuit", "", '{"@type": "Product", "name": "Swimsuit", "category": "Junior swim"}'),
        ("Swimsuit", "", '{"@type": "BreadcrumbList", "itemListElement": [{"name": "Ｊｕｎｉｏｒ"}]}'),
    ],
)
def test_words_exclude_in_any_width_and_case_wherever_the_page_says_them(
    site: Site, tmp_path: Path, title: str, alt: str, head: str
) -> None:
    linked(site, 1)
    item(
        site, f'<img src="/a.jpg" alt="{alt}">', title=title, head=f'<script type="application/ld+json">{head}</script>'
    )
    rules = "{exclude_text: [ジュニア, junior], images: [{role: article, css: img}]}"
    assert names(walked(site, tmp_path, rules)) == [("a.jpg", "excluded")]
    assert site.counts()["/a.jpg"] == 0


ROLES = """{%simages: [
  {role: article, css: img, where: {alt: 単体}, pick: first},
  {role: human, css: img, where: {alt: ﾓﾃﾞﾙ}}]}
"""


def coloured(site: Site, *pictures: tuple[str, str, str]) -> None:
    """An item whose pictures are (file, alt, attributes)."""
    linked(site, 1)
    item(site, "".join(f'<p {more}><img src="/{name}.jpg" alt="{alt}"></p>' for name, alt, more in pictures))
    for n, (name, _, _) in enumerate(pictures):
        site.add(f"/{name}.jpg", photo(n))


def bound(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    return [(row["role"], row["image_url"].rpartition("/")[2][:-4], row["variant"]) for row in rows]


def test_colours_bind_pictures_as_texts_or_files_name_them(site: Site, tmp_path: Path) -> None:
    coloured(
        site,
        ("1", "単体 赤", ""),
        ("2", "モデル RED", ""),
        ("3", "ﾓﾃﾞﾙ ネイビー", ""),
        ("4", "単体 紺", ""),
        ("5", "単体 紺", ""),
    )
    assert bound(walked(site, tmp_path, ROLES % "")) == [
        ("article", "1", "red"),
        ("article", "4", "navy"),
        ("human", "2", "red"),
        ("human", "3", "navy"),
    ]


def test_files_names_bind_where_texts_say_nothing(site: Site, tmp_path: Path) -> None:
    coloured(site, ("a_red-1", "単体", ""), ("a_blue-1", "単体", ""), ("a_blue-2", "モデル", ""))
    assert [variant for _, _, variant in bound(walked(site, tmp_path, ROLES % ""))] == ["red", "blue", "blue"]


def test_a_text_and_another_picture_s_file_name_bind_where_neither_does_alone(site: Site, tmp_path: Path) -> None:
    coloured(site, ("a_red-1", "単体", ""), ("a_blue-1", "単体", ""), ("2", "モデル 青", ""))
    assert [variant for _, _, variant in bound(walked(site, tmp_path, ROLES % ""))] == ["red", "blue", "blue"]


def test_a_word_that_joins_no_two_roles_names_no_variant(site: Site, tmp_path: Path) -> None:
    coloured(site, ("1", "単体 white background", ""), ("2", "モデル red", ""), ("3", "モデル red", ""))
    assert {variant for _, _, variant in bound(walked(site, tmp_path, ROLES % ""))} == {None}


@pytest.mark.parametrize("rule", ['css: "p[data-c]@data-c"', "css: p@data-c", r'regex: "/(x|y)[0-9]"'])
def test_the_site_file_says_where_the_variant_stands(site: Site, tmp_path: Path, rule: str) -> None:
    coloured(site, ("x1", "単体 red", "data-c=X"), ("y1", "単体 red", "data-c=Y"), ("y2", "モデル", "data-c=Y"))
    rows = walked(site, tmp_path, ROLES % f"variant: {{{rule}}}, ")
    assert bound(rows) == [("article", "x1", "x"), ("article", "y1", "y"), ("human", "y2", "y")]


def test_structured_data_bind_the_pictures_that_elements_show(site: Site, tmp_path: Path) -> None:
    coloured(site, ("1", "単体", ""), ("2", "単体", ""), ("2b", "モデル", ""))
    offers = [{"color": "Ｒed", "image": "/1.jpg"}, {"color": "Blue", "image": ["/2_400x.jpg?v=2", "/2b.jpg"]}]
    text = str({"@type": "Product", "name": "T", "offers": offers}).replace("'", '"')
    site.page("/item/1", site_text(site, "/item/1") + SCRIPT % text)
    assert [variant for _, _, variant in bound(walked(site, tmp_path, ROLES % ""))] == ["red", "blue", "blue"]


def site_text(site: Site, path: str) -> str:
    pictures = (("1", "単体"), ("2", "単体"), ("2b", "モデル"))
    return "<h1>T</h1>" + "".join(f'<img src="/{name}.jpg" alt="{alt}">' for name, alt in pictures)


def test_a_host_that_is_not_allowed_is_named_with_what_to_write(site: Site, tmp_path: Path) -> None:
    elsewhere = site.url("").replace("127.0.0.1", "localhost")
    linked(site, 1)
    item(site, "".join(f'<img src="{elsewhere}/{n}.jpg">' for n in range(3)))
    for n in range(3):
        site.add(f"/{n}.jpg", photo(n))
    for _ in range(2):  # the second time from the journal
        notes = Notes()
        assert {reason for _, reason in names(walked(site, tmp_path, ALL, notes=notes))} == {"other_host"}
        [said] = [line for line in notes.said if "allowed_hosts" in line]
        allow = said[said.index("[") : said.index("]") + 1]
        assert "3 left out" in said and elsewhere.removeprefix("http://") in allow
    assert {reason for _, reason in names(walked(site, tmp_path, ALL, hosts=allow))} == {"ok"}


def test_a_listing_that_leads_to_another_host_ends_with_what_to_write(site: Site, tmp_path: Path) -> None:
    elsewhere = site.url("/list").replace("127.0.0.1", "localhost")
    site.add("/go", b"", status=302, Location=elsewhere)
    with pytest.raises(BlockedError) as failed:
        walked(site, tmp_path, ALL, start="['{url}/go']")
    assert "allowed_hosts: [" in str(failed.value.hint) and "localhost" in str(failed.value.hint)
