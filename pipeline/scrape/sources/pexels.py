"""Pexels: photographs under Pexels' own licence. Needs a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.request import RequestOptions

LICENSE_URL = "https://www.pexels.com/license/"

FACTS = Facts(
    terms="platform",
    what="photographs under Pexels' own licence; read its terms on machine learning first",
    example="CURATE_PEXELS_KEY=... curate scrape --source pexels --query ロングヘア",
    base="https://api.pexels.com",
    key="required",
    key_from="https://www.pexels.com/api/",
    limits=Limits(page_size=80, delay=1.0),
    said="200 requests an hour and 20,000 a month; show the photographer and a link",
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The photographs that Pexels finds for `query`."""
    api = ApiSource("pexels", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    limit = api.limits.max_side

    def candidate(row: Mapping[str, Any]) -> Candidate:
        return _candidate(row, limit)

    options = RequestOptions(headers={"Authorization": api.key or ""})
    path, sent = "/v1/search", {"query": api.sent, "per_page": api.limits.page_size, "page": 1}
    if api.japanese:
        sent["locale"] = "ja-JP"
    while path:
        answer = api.json(path, sent, options)
        yield api.read(api.rows(answer, "photos"), candidate)
        path, sent = word(answer, "next_page") or "", {}
        if path and urlsplit(path)[:2] != urlsplit(api.base)[:2]:
            api.note("its next page is on another host, which is not followed")
            return


def _candidate(row: Mapping[str, Any], max_side: int | None) -> Candidate:
    identity, sources = need(row, "id"), row["src"]
    size = max(number(row, "width") or 0, number(row, "height") or 0)
    reduced = max_side is not None and size > max_side and word(sources, "large2x") is not None
    url = address(sources, "large2x" if reduced else "original")  # its other renditions are cut
    return Candidate(
        address=f"pexels {identity}",
        image_url=url,
        page_url=word(row, "url"),
        title=tidy(row.get("alt")),
        creator=tidy(row.get("photographer")),
        license="pexels",
        license_url=LICENSE_URL,
        extra={
            "source_id": identity,
            "creator_url": word(row, "photographer_url"),
            "claimed_width": None if reduced else number(row, "width"),
            "claimed_height": None if reduced else number(row, "height"),
        },
    )
