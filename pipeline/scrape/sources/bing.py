"""Bing's pictures, read from its result pages, whose terms forbid programs: off unless the user turns it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.sources.html_parser import parsed
from curate.pipeline.scrape.web.json_reader import read_json

FACTS = Facts(
    terms="unknown",
    what="any picture of the web; states no licences, and its terms forbid programs",
    example="curate scrape --source bing --query ロングヘア --allow-scrape-source --allow-unknown-license",
    base="https://www.bing.com",
    limits=Limits(page_size=35, depth=1000, delay=3.0),
    said="no interface for programs is left; its robots.txt is obeyed; about 1,000 results per query",
    gated=True,
)

_PATIENCE = 2  # pages in a row without a new picture


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The pictures that Bing finds for `query`, with its strict filter."""
    api = ApiSource("bing", FACTS, query, pages)
    return api.candidates(_pages(api), _PATIENCE)


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    first = 1
    while api.limits.depth is None or first <= api.limits.depth:
        sent = {"q": api.sent, "first": first, "count": api.limits.page_size, "mmasync": 1, "adlt": "strict"}
        body = api.html("/images/async", sent)
        items = parsed(body.decode("utf-8", "replace")).select("a.iusc[m]")
        if not items:
            if b"murl" in body or b"iusc" in body:
                raise api.changed("pictures that are no longer marked as they were")
            return
        yield api.read([str(item["m"]) for item in items], _candidate)  # its escapes were undone with the page's
        first += len(items)


def _candidate(text: Any) -> Candidate:
    row = read_json(text)
    if not isinstance(row, Mapping):
        raise TypeError("not an object")
    url, page = address(row, "murl"), address(row, "purl")
    return Candidate(
        address=url,
        image_url=url,
        page_url=page,
        title=tidy(row.get("t")),
        license=licenses.UNKNOWN,
        extra={"source_id": word(row, "md5") or url},
    )
