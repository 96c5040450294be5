"""Openverse: openly licensed pictures of many museums and photo sites, found by one documented interface."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.errors import QuotaError, UsageError
from pipeline.params import Query
from pipeline.sources import Pages, licenses
from pipeline.sources.candidate import Candidate, tidy
from pipeline.web.faults import FetchError

BASE = "https://api.openverse.org"
PAGE_SIZE = 20  # the most that is answered without a key
DEPTH = 240  # results of one query that can be reached
DELAY = 3.0  # s between two requests: 20 a minute are allowed without a key
LICENSES = "cc0,pdm,by,by-sa"


def search(query: Query, web: Pages) -> Iterator[Candidate]:
    """The pictures that Openverse finds for `query`, most relevant first, at most DEPTH of them.

    Raises FetchError for an answer of another shape than the documented one.
    """
    if not query.query:
        raise UsageError("openverse needs something to look for", "say what: curate scrape --query TEXT")
    base = (query.base_url or BASE).rstrip("/")
    if query.base_url is None:
        web.space("api.openverse.org", DELAY)
    for page in range(1, DEPTH // PAGE_SIZE + 1):
        answer = _page(base, query.query, page, web)
        for result in answer["results"]:
            if isinstance(result, Mapping) and result.get("id") and result.get("url") and not result.get("mature"):
                yield _candidate(result)
        if page >= int(answer.get("page_count") or 0):
            return


def _page(base: str, text: str, page: int, web: Pages) -> Mapping[str, Any]:
    # Never mature=false: any value of that key turns sensitive results on.
    sent = {"q": text[:200], "license": LICENSES, "page": page, "page_size": PAGE_SIZE}
    url = f"{base}/v1/images/?{urlencode(sent)}"
    try:
        answer = json.loads(web.answer(url).body)
    except FetchError as error:
        if error.status == 401 and page > 1:  # deeper than may be looked, which is no fault
            return {"results": []}
        if error.reason == "quota" or error.status == 429:
            raise QuotaError(
                f"openverse: {error}", "the day's requests are used up; the same command goes on"
            ) from error
        raise
    except ValueError as error:
        raise FetchError("http_5xx", f"openverse: not JSON: {error}") from error
    if not isinstance(answer, Mapping) or not isinstance(answer.get("results"), list):
        raise FetchError("http_5xx", "openverse: an answer of another shape than the documented one")
    return answer


def _candidate(result: Mapping[str, Any]) -> Candidate:
    licence = "-".join(str(part) for part in (result.get("license"), result.get("license_version")) if part)
    url = str(result["url"])
    return Candidate(
        address=url,
        image_url=url,
        page_url=result.get("foreign_landing_url"),
        title=tidy(result.get("title")),
        creator=tidy(result.get("creator")),
        license=licenses.code(result.get("license_url"), _spelled(licence)),
        license_url=result.get("license_url"),
        extra={
            name: value
            for name, value in {
                "source_id": result["id"],
                "provider": result.get("provider"),
                "creator_url": result.get("creator_url"),
                "attribution": tidy(result.get("attribution")),
                "claimed_width": result.get("width"),
                "claimed_height": result.get("height"),
            }.items()
            if value is not None
        },
    )


def _spelled(licence: str) -> str:
    return licence if licence.startswith(("cc0", "pdm")) else f"cc {licence}"
