"""Safebooru: tagged drawings. It states no licences; a query is a list of tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from curate.pipeline.core.errors import AuthError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, word
from curate.pipeline.scrape.sources.booru import admissible, tags
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions

FACTS = Facts(
    terms="unknown",
    what="drawings by tags; states no licences",
    example='curate scrape --source safebooru --query "long_hair solo" --allow-unknown-license',
    base="https://safebooru.org",
    key="optional",
    key_from="https://safebooru.org/index.php?page=account (the key is user_id:api_key)",
    limits=Limits(page_size=100, delay=1.0),
    said="one request a second here; tags instead of words: see scrape.map",
)

PATH = "/index.php"
_DEEPEST = 20_000  # results of one query that can be reached by page numbers
_RATINGS = frozenset({"general", "safe", "g", "s"})
_REASON = re.compile(r'reason="([^"]*)"|<error>([^<]*)</error>')


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The drawings that have every tag of `query`, newest first."""
    api = ApiSource("safebooru", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    def candidate(row: Mapping[str, Any]) -> Candidate | None:
        return _candidate(row, api.base)

    wanted, page, last = " ".join(tags(api.sent)), 0, ""
    while True:
        found = wanted + (f" id:<{last}" if last else "")
        rows = _rows(api, {"tags": found, "pid": page, "limit": api.limits.page_size})
        if not rows:
            return
        yield api.read(rows, candidate)
        page += 1
        if (page + 1) * api.limits.page_size > _DEEPEST and isinstance(rows[-1], Mapping):
            page, last = 0, word(rows[-1], "id") or last


def _rows(api: ApiSource, sent: Mapping[str, Any]) -> list[Any]:
    user, _, key = (api.key or "").rpartition(":")
    options = RequestOptions(params={"user_id": user, "api_key": key}) if api.key else PLAIN
    body = api.respond(PATH, {"page": "dapi", "s": "post", "q": "index", "json": 1, **sent}, options).body.strip()
    if not body:
        return []
    if body.startswith(b"<") and (match := _REASON.search(body.decode("utf-8", "replace"))):
        said = tidy(match[1] or match[2]) or "no reason"
        if "auth" in said.lower() or "key" in said.lower():
            raise AuthError(f"safebooru: {said}", f"set CURATE_SAFEBOORU_KEY; keys: {FACTS.key_from}")
        raise FetchError("http_4xx", f"safebooru: {said}")
    return api.rows(api.parsed(body))


def _candidate(row: Mapping[str, Any], base: str) -> Candidate | None:
    identity, name = need(row, "id"), need(row, "image")
    tagged = (word(row, "tags") or "").split()
    if not admissible(row, tagged, _RATINGS, name):
        return None
    built = f"{base}/images/{need(row, 'directory')}/{name}" if word(row, "file_url") is None else None
    url = built or address(row, "file_url")
    view = urlencode({"page": "post", "s": "view", "id": identity})
    return Candidate(
        address=url,
        image_url=url,
        page_url=f"{base}{PATH}?{view}",
        title=tidy(" ".join(tagged)[:200]),
        license=licenses.UNKNOWN,
        extra={
            "source_id": identity,
            "rating": word(row, "rating"),
            "tags": " ".join(tagged) or None,
            "origin": tidy(row.get("source")),
            "claimed_width": number(row, "width"),
            "claimed_height": number(row, "height"),
        },
    )
