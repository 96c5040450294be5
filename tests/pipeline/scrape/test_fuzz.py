"""Lists and pages of strangers, damaged at random: each is candidates that can be stored, or an error of ours.

What it starts from is the corpus beside this file; whatever was found to break a reader is put there, too. Some are
tried each time, thousands with: pytest -m deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate.pipeline.core.errors import CurateError
from curate.pipeline.scrape import admission
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.journal import CandidateSeen
from curate.pipeline.scrape.sources import Pages, html, urls
from curate.pipeline.scrape.sources.candidate import Candidate, storable
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.tables import manifest
from tests.support.fake_apis import Notes

CORPUS = Path(__file__).with_name("corpus")
LISTS, PAGES = sorted((CORPUS / "lists").iterdir()), sorted((CORPUS / "pages").iterdir())
HERE = "http://x.example/i/1"

SITE = """
name: shop
start: [http://x.example/list]
listing: {item: "a.card, img", next: "a.next", max_pages: 3}
item:
  license: {jsonld: license, css: "a[rel=license]@href"}
  variant: {jsonld: color, css: .colour, regex: "_(red|blue)"}
  images: [{role: article, css: ".g img, .g div", jsonld: image}]
"""

TOKENS = [  # of what readers look for, and of what they cannot take
    *(
        b"\0",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"&#xd800;",
        b"\r",
        b"\x1b]0;",
        "\u202e".encode(),
        b"\xef\xbb\xbf",
    ),
    *(b"[", b"{", b"]", b"}", b'"', b"'", b",", b";", b"\t", b"\n", b"<", b">", b"(", b")", b"%", b"=", b":", b"//"),
    *(b"http://[", b"http://x:99999/", b"http://a..b/", b"http://\xe2\x84\x80/", b"javascript:", b"data:,", b"?", b"#"),
    *(b"NaN", b"1e999", b"9" * 400, b"null", b"[" * 200, b'{"a":' * 200, b" " * 500, b"x" * 9000, b"-1", b"0"),
    *(b"<base href=http://[>", b"<!--", b"<noscript>", b"<picture>", b"<source srcset='", b"</div>", b"<meta charset="),
    *(b"hex", b"idna", b"utf-16", b"url(", b" 9w", b"@id", b"@graph", b"sep=", b"licenses", b"images"),
]


@st.composite
def damaged(draw: st.DrawFn, files: list[Path]) -> tuple[Path, bytes]:
    """A file of the corpus, and its bytes with a few pieces left out, repeated or put in."""
    file = draw(st.sampled_from(files))
    data = file.read_bytes()
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
        put = draw(st.sampled_from(TOKENS) | st.binary(max_size=6) | st.just(data[at : at + length] * 3))
        data = data[:at] + put + data[at + draw(st.sampled_from([0, 0, 1, length])) :]
    return file, data


def store(candidate: Candidate) -> None:
    """What becomes of a candidate that is refused: a line of the journal, and a row."""
    candidate = storable(candidate)
    msgspec.json.encode(CandidateSeen("k", 0, candidate, None))
    reason = candidate.refused or "excluded"
    row = admission._row("0" * 32, Query(source="html"), candidate, None, "d", 0, reason, None)
    [stored] = manifest.from_lines(manifest.IMAGES, msgspec.json.encode(row) + b"\n").to_pylist()
    assert stored["reason"] in manifest.IMAGES.reasons
    assert max(len(str(value)) for value in stored.values()) < 50_000


class Lent(Notes):
    """The layer as a source sees it, with one page for everything."""

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__()
        self._response = (body, content_type)

    def page(self, url: str, *, allowed: Any = None) -> Response:
        body, content_type = self._response
        link = ('<http://[bad>; rel=license; type="application/rsl+xml"',) if b"?xml" in body else ()
        return Response(HERE, 200, body, content_type, None, None, None, datetime.now(UTC), licenses=link)


def walk(folder: Path, body: bytes, content_type: str = "text/html") -> Iterator[Candidate]:
    """Everything that a site finds of which all pages are `body`."""
    path = folder / "site.yaml"
    if not path.exists():
        path.write_text(SITE)
    lent = cast(Pages, Lent(body, content_type))
    yield from html.search(Query(source="html", site=str(path)), lent)


def read_list(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.write_bytes(data)
    try:
        for candidate in urls.search(Query(source="urls", input=str(path)), cast(Pages, Notes())):
            store(candidate)
    except CurateError as error:
        assert error.hint and len(error.message) < 1000


def read_page(folder: Path, data: bytes, content_type: str) -> None:
    try:
        for candidate in walk(folder, data, content_type):
            store(candidate)
    except FetchError as error:
        assert error.reason in manifest.IMAGES.reasons


@pytest.mark.parametrize("file", [*LISTS, *PAGES], ids=lambda file: file.name)
def test_the_corpus_is_read(tmp_path: Path, file: Path) -> None:
    if file in LISTS:
        found = list(urls.search(Query(source="urls", input=str(file)), cast(Pages, Notes())))
    else:
        found = list(walk(tmp_path, file.read_bytes()))
    for candidate in found:
        store(candidate)
    assert found


content_types = st.sampled_from(["text/html", "text/html; charset=utf-8", "text/html; charset=hex", "\0; charset=é"])
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
deep = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(damaged(LISTS))
def test_no_damage_to_a_list_is_more_than_its_rows(tmp_path_factory: Any, given_: tuple[Path, bytes]) -> None:
    read_list(tmp_path_factory.getbasetemp(), given_[0].name, given_[1])


@quick
@given(damaged(PAGES), content_types)
def test_no_damage_to_a_page_is_more_than_its_rows(
    tmp_path_factory: Any, given_: tuple[Path, bytes], content_type: str
) -> None:
    read_page(tmp_path_factory.getbasetemp(), given_[1], content_type)


@pytest.mark.deep
@deep
@given(damaged(LISTS))
def test_no_damage_to_thousands_of_lists(tmp_path_factory: Any, given_: tuple[Path, bytes]) -> None:
    read_list(tmp_path_factory.getbasetemp(), given_[0].name, given_[1])


@pytest.mark.deep
@deep
@given(damaged(PAGES), content_types)
def test_no_damage_to_thousands_of_pages(tmp_path_factory: Any, given_: tuple[Path, bytes], content_type: str) -> None:
    read_page(tmp_path_factory.getbasetemp(), given_[1], content_type)
