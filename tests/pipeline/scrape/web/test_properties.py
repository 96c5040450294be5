"""What must hold for any text and any bytes that strangers send: nothing raises, and answers stay in bounds."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from w3lib.url import safe_url_string

from curate.pipeline.crop.storage import folder_of
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.outcome import examine
from curate.pipeline.scrape.sources import html, html_images, jsonld, licenses
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.web import optout, robots, tdmrep
from curate.pipeline.scrape.web.charset import decode
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.url import _SAFE, parse
from tests.support.http_server import photo

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
words = st.text(string.ascii_letters + string.digits + "/._-", min_size=1, max_size=20)
paths = st.lists(words, min_size=1, max_size=4).map("/".join)


@QUICK
@given(st.lists(st.tuples(paths, st.integers(1, 4000)), min_size=1, max_size=6))
def test_a_srcset_that_was_written_is_read(pictures: list[tuple[str, int]]) -> None:
    pictures = [(url.strip(",") or "a", width) for url, width in pictures]
    found = html_images.parse_srcset(", ".join(f"{url} {width}w" for url, width in pictures))
    assert [(source.url, source.width) for source in found] == pictures


@QUICK
@given(st.text(max_size=200))
def test_no_srcset_is_too_odd(junk: str) -> None:
    for source in html_images.parse_srcset(junk):
        assert source.url and not re.search(r"[ \t\n\f\r]", source.url)


@QUICK
@given(words, words)
def test_robots_denies_what_it_names_and_nothing_beside(denied: str, other: str) -> None:
    rules = robots.parse(f"User-agent: *\nDisallow: /{denied}$\n".encode(), "text/plain")
    assert rules.verdict(f"http://x.example/{denied}") == "robots_denied"
    if parse(f"http://x.example/{other}").text != parse(f"http://x.example/{denied}").text:
        assert rules.verdict(f"http://x.example/{other}") == "allowed"


@QUICK
@given(st.binary(max_size=400), st.text(max_size=30))
def test_no_file_of_an_origin_is_too_odd(body: bytes, content_type: str) -> None:
    rules = robots.parse(body, content_type)
    assert rules.verdict("http://x.example/a") in {"allowed", "robots_denied"}
    assert 0 <= rules.delay <= robots.LONGEST_DELAY
    assert tdmrep.parse(body).cover("http://x.example/a") in {True, False}


@QUICK
@given(st.text(max_size=80))
def test_no_opt_out_header_is_too_odd(line: str) -> None:
    found = optout.refused_by_headers([line], None)
    assert found is None or found in line.lower()
    assert optout.refused_by_headers([line, "noai"], None) is not None


@QUICK
@given(
    st.text("あいうえお日本語カタカナ漢字①髙abc ", min_size=1, max_size=60),
    st.sampled_from(["utf-8", "cp932", "euc_jp"]),
)
def test_japanese_survives_every_declared_charset(said: str, charset: str) -> None:
    try:
        page = f'<meta charset="{charset}"><p>{said}</p>'.encode(charset)
    except UnicodeEncodeError:
        return
    assert said in decode(page)[0]
    assert said in decode(page, f"text/html; charset={charset}")[0]


@QUICK
@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_are_some_text(body: bytes, content_type: str) -> None:
    decoded, name = decode(body, content_type)
    assert isinstance(decoded, str) and name


@QUICK
@given(st.text(min_size=1, max_size=120))
def test_any_name_makes_a_safe_folder_of_its_own(name: str) -> None:
    folder = folder_of(name)
    assert re.fullmatch(r"processed/crops/(?!\.)[\w.-]{1,70}", folder)
    assert (folder == folder_of(name + "x")) is False


@QUICK
@given(st.text(max_size=100))
def test_a_licence_is_a_code_that_stands(said: str) -> None:
    code = licenses.code(said)
    assert re.fullmatch(r"[a-z0-9.-]+", code)
    assert licenses.code(code) == code


@QUICK
@given(
    st.lists(st.sampled_from(["nc", "nd", "sa"]), unique=True, max_size=2),
    st.sampled_from(["1.0", "2.0", "2.5", "3.0", "4.0"]),
)
def test_every_spelling_of_a_licence_is_one_code(terms: list[str], version: str) -> None:
    name = "-".join(["by", *sorted(terms)])
    codes = {
        licenses.code(f"https://creativecommons.org/licenses/{name}/{version}/jp/"),
        licenses.code(f"CC {name.upper()} {version}"),
        licenses.code(f"cc-{name}-{version}"),
    }
    assert len(codes) == 1


@QUICK
@given(st.text(max_size=700))
def test_a_text_of_strangers_is_one_clean_line(said: str) -> None:
    tidied = tidy(said)
    assert tidied is None or (0 < len(tidied) <= 500 and tidied == " ".join(tidied.split()))


@QUICK
@given(st.text(max_size=100))
def test_an_address_is_one_or_a_refusal(url: str) -> None:
    try:
        found = parse(url)
    except FetchError as error:
        assert error.reason in {"bad_url", "ssrf_blocked", "not_image"}
    else:
        assert found.text.startswith(("http://", "https://")) and "@" not in found.text.split("/")[2]


TAGS = [
    "<a class=card href=",
    "<img src=",
    "<script type='application/ld+json'>",
    "</script>",
    "<base href=",
    "<meta ",
    ">",
    "'",
]
JSON = ['{"@graph":[', '"image":', '{"@type":"Product"', "]}", "[[", "null", ",", ":", '"name":1e999', "}"]
soup = st.lists(st.one_of(st.sampled_from(TAGS + JSON), st.text(max_size=8)), max_size=30).map("".join)


class Pages:
    """A site with the same page everywhere."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def page(self, url: str, **options: object) -> Response:
        from datetime import UTC, datetime

        return Response(url, 200, self.body, "text/html", None, None, None, datetime.now(UTC))

    def note(self, text: str) -> None: ...
    def space(self, host: str, delay: float) -> None: ...


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(
        "name: x\nstart: ['http://x.example/']\nlisting: {item: a, max_pages: 2, max_items: 3}\n"
        "item: {images: [{css: img, role: a}, {jsonld: image, role: b}], title: {jsonld: name}}\n"
    )
    return path


@QUICK
@given(page=soup)
def test_no_page_stops_the_html_source(site: Path, page: str) -> None:
    found = list(html.search(Query(source="html", site=str(site)), Pages(page.encode("utf-8", "replace"))))  # type: ignore[arg-type]
    assert all(isinstance(one, Candidate) for one in found)
    jsonld.read(BeautifulSoup(page, "lxml"))


@QUICK
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]), st.data())
def test_no_damage_to_an_image_is_more_than_a_reason(kind: str, data: st.DataObject) -> None:
    body = bytearray(photo(1, kind))
    for at in data.draw(st.lists(st.integers(0, min(len(body), 2000) - 1), max_size=6)):
        body[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    outcome = examine(bytes(body[:cut] if cut % 2 else body), Scrape())
    assert outcome.reason in {"ok", "too_small", "bomb", "decode_failed", "animated", "not_image", "unsupported"}


@QUICK
@given(st.from_regex(_SAFE, fullmatch=True))
def test_what_is_called_safe_is_left_alone_by_a_full_look(url: str) -> None:
    try:
        assert safe_url_string(url) == url
    except ValueError:  # a port that is none
        with pytest.raises(FetchError, match="bad_url"):
            parse(url)
