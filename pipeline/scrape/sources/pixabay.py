"""Pixabay: photographs under Pixabay's own licence. Needs a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.core.errors import AuthError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, said_by, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.request import RequestOptions

LICENSE_URL = "https://pixabay.com/service/license-summary/"

FACTS = Facts(
    terms="platform",
    what="photographs under Pixabay's own licence; no systematic mass downloads",
    example="CURATE_PIXABAY_KEY=... curate scrape --source pixabay --query ロングヘア",
    base="https://pixabay.com",
    key="required",
    key_from="https://pixabay.com/api/docs/",
    limits=Limits(page_size=100, depth=500, per_run=100, delay=1.0, text=100),
    said="100 requests a minute; 500 results per query; 100 per run here, because its terms forbid mass downloads",
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The photographs that Pixabay finds for `query`, most popular first."""
    api = ApiSource("pixabay", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    size = max(3, api.limits.page_size)  # the least that it takes
    sent = {"q": api.sent, "image_type": "photo", "safesearch": "true", "order": "popular", "per_page": size}
    if api.japanese:
        sent["lang"] = "ja"
    reachable = api.limits.depth or 500
    page, seen = 1, 0
    while seen < reachable:
        try:
            answer = api.json(
                "/api/", {**sent, "page": page}, RequestOptions(params={"key": api.key or ""}), spare={400}
            )
        except FetchError as error:
            if error.status != 400:
                raise
            said = said_by(error)
            if page > 1 and "range" in said:
                return
            if "key" in said.lower():
                raise AuthError(f"pixabay: {said}", f"set CURATE_PIXABAY_KEY; keys: {FACTS.key_from}") from error
            raise FetchError("http_4xx", f"pixabay: {said}", error.status) from error
        hits = api.rows(answer, "hits")
        yield api.read(hits, _candidate)
        reachable = min(reachable, number(answer, "totalHits") or 0) if hits else 0
        seen += len(hits)
        page += 1


def _candidate(row: Mapping[str, Any]) -> Candidate:
    identity, url = need(row, "id"), address(row, "largeImageURL")
    return Candidate(
        address=f"pixabay {identity}",  # its addresses change every day
        image_url=url,
        page_url=word(row, "pageURL"),
        title=tidy(row.get("tags")),
        creator=tidy(row.get("user")),
        license="pixabay",
        license_url=LICENSE_URL,
        extra={"source_id": identity},
    )
