"""Wikimedia Commons: freely licensed files, found by MediaWiki's search and described by its imageinfo."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, licenses
from curate.pipeline.scrape.sources.api import ApiSource, address, need, number, word
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts, Limits
from curate.pipeline.scrape.web.fetch_errors import FetchError, TransientError
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import RequestOptions

FACTS = Facts(
    terms="open",
    what="freely licensed files of Wikipedia and its sister projects",
    example="curate scrape --source commons --query ロングヘア --want 200",
    base="https://commons.wikimedia.org",
    limits=Limits(page_size=50, depth=10_000, delay=1.0, text=280),
    said="requests one after the other, with the operator's own contact; about 10,000 results per query",
)

_ASKED = {
    "action": "query",
    "format": "json",
    "formatversion": "2",
    "generator": "search",
    "gsrnamespace": "6",
    "prop": "imageinfo",
    "iiprop": "url|size|mime|sha1|timestamp|user|extmetadata",
    "iiurlwidth": "1280",  # one of the few widths that are served
    "iiextmetadatalanguage": "ja",
    "iiextmetadatafilter": "LicenseShortName|License|LicenseUrl|UsageTerms|Artist|Credit|AttributionRequired|"
    "Attribution|Copyrighted|Restrictions|ObjectName",
    "maxlag": "5",
}
_PASSING = ("maxlag", "ratelimited", "readonly", "internal_api_error", "timeout")
_HREF = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']+)""", re.IGNORECASE)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The bitmaps that Commons finds for `query`, most relevant first."""
    api = ApiSource("commons", FACTS, query, pages)
    return api.candidates(_pages(api))


def _pages(api: ApiSource) -> Iterator[list[Candidate]]:
    limit = api.limits.max_side

    def candidate(page: Mapping[str, Any]) -> Candidate | None:
        return _candidate(page, limit)

    asked = {**_ASKED, "gsrlimit": api.limits.page_size, "gsrsearch": f"{api.sent} filetype:bitmap"}
    more: Mapping[str, Any] = {}
    waiting: dict[str | None, dict[str, Any]] = {}  # by page, until their imageinfo has come
    seen = 0
    while True:
        answer = api.json("/w/api.php", {**asked, **more}, RequestOptions(check=_check))
        for page in _found(api, answer):
            _merge(waiting.setdefault(word(page, "pageid") or word(page, "title"), {}), page)
        more = answer.get("continue") or {}
        if not isinstance(more, Mapping):
            raise api.changed("a continuation that is no object")
        if answer.get("batchcomplete") or "iicontinue" not in more:
            whole = {name: page for name, page in waiting.items() if page.get("imageinfo") or not more}
            waiting = {name: page for name, page in waiting.items() if name not in whole}
            seen += len(whole)
            yield api.read(sorted(whole.values(), key=lambda page: number(page, "index") or 0), candidate)
        if not more or (api.limits.depth is not None and seen >= api.limits.depth):
            return


def _check(response: Response) -> None:
    """Raises TransientError for an error in a 200 that may pass."""
    code, info = _error(response.body)
    if code.startswith(_PASSING):
        raise TransientError("http_5xx", f"{code}: {info}", 429 if code == "ratelimited" else 503, response.wait)
    if code:
        raise FetchError("http_4xx", f"{code}: {info}")


def _error(body: bytes) -> tuple[str, str]:
    try:
        error = read_json(body).get("error")
    except (ValueError, AttributeError):
        return "", ""
    return (str(error.get("code", "")), str(error.get("info", ""))[:200]) if isinstance(error, Mapping) else ("", "")


def _found(api: ApiSource, answer: Any) -> list[dict[str, Any]]:
    """The pages of an answer. Nothing found is an answer without a query."""
    if not isinstance(answer, Mapping):
        raise api.changed("not an object")
    if "query" not in answer and ("batchcomplete" in answer or "continue" in answer):
        return []
    pages = api.rows(answer, "query", "pages")
    if not all(isinstance(page, dict) for page in pages):
        raise api.changed("pages that are no objects")
    return pages


def _merge(known: dict[str, Any], page: Mapping[str, Any]) -> None:
    known.update({name: value for name, value in page.items() if value is not None})


def _candidate(page: Mapping[str, Any], max_side: int | None) -> Candidate | None:
    title = need(page, "title")
    if not page.get("imageinfo") or "filemissing" in page:
        return None
    info: Any = page["imageinfo"][0]
    if not isinstance(info, Mapping):
        raise TypeError("imageinfo")
    if not (word(info, "mime") or "image/").startswith("image/") or word(info, "mime") == "image/svg+xml":
        return None
    metadata = info.get("extmetadata")
    said = {k: _value(v) for k, v in metadata.items()} if isinstance(metadata, Mapping) else {}
    size = max(number(info, "width") or 0, number(info, "height") or 0)
    reduced = max_side is not None and size > max_side and word(info, "thumburl") is not None
    url = address(info, "thumburl" if reduced else "url")
    artist = said.get("Artist")
    link = _HREF.search(artist or "")
    names = (said.get("Artist"), said.get("Attribution"), word(info, "user"))
    return Candidate(
        address=url,
        image_url=url,
        page_url=word(info, "descriptionurl"),
        title=_plain(said.get("ObjectName")) or tidy(re.sub(r"^[^:]+:|\.\w+$", "", title)),
        creator=next((name for name in map(_plain, names) if name), None),
        license=licenses.code(
            said.get("LicenseUrl"), said.get("License"), said.get("LicenseShortName"), said.get("UsageTerms")
        ),
        license_url=said.get("LicenseUrl") or None,
        extra={
            "source_id": word(page, "pageid") or title,
            "creator_url": _absolute(html.unescape(link[1])) if link else None,
            "attribution": _plain(said.get("Attribution")),
            "license_raw": _plain(said.get("LicenseShortName")),
            "restrictions": _plain(said.get("Restrictions")),
            "claimed_width": number(info, "thumbwidth" if reduced else "width"),
            "claimed_height": number(info, "thumbheight" if reduced else "height"),
        },
    )


def _value(entry: Any) -> str | None:
    return word(entry, "value") if isinstance(entry, Mapping) else None


def _plain(text: str | None) -> str | None:
    return tidy(html.unescape(re.sub(r"<[^<>]*>", " ", text))) if text else None


def _absolute(url: str) -> str | None:
    url = f"https:{url}" if url.startswith("//") else url
    return url if url.startswith(("http://", "https://")) else None
