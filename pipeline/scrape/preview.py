"""What a search would find, without downloading a picture: its first candidates, and what each selector matched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, load
from curate.pipeline.scrape.sources.candidate import storable
from curate.pipeline.scrape.sources.html_parser import parsed
from curate.pipeline.scrape.sources.site_file import SiteFile, read, selector, value
from curate.pipeline.scrape.web import charset
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response

SHOWN = 20  # candidates


@dataclass(frozen=True)
class PreviewMatch:
    """What one selector of a site file found on one page."""

    page: str
    key: str  # of the site file
    selector: str
    count: int
    first: str | None  # the text, or the address, of the first element


@dataclass(frozen=True)
class SearchPreview:
    """One search: its candidates as far as they were looked at, and the selectors of the pages on the way."""

    query: Mapping[str, Any]
    candidates: list[Mapping[str, Any]]
    matches: list[PreviewMatch]
    broken: str | None  # why no more was seen


class _Watched:
    """Pages that remember what was read."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self.read: list[Response] = []

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        response = self._pages.page(url, allowed=allowed)
        self.read.append(response)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pages, name)


def preview(query: Query, pages: Pages, limit: int = SHOWN) -> SearchPreview:
    """The first candidates of `query`. Raises what the source raises but FetchError, which ends the looking."""
    watched = _Watched(pages)
    found: list[Mapping[str, Any]] = []
    broken = None
    try:
        for candidate in map(storable, islice(load(query.source)(query, watched), limit)):
            shown = ("address", "role", "group_id", "variant", "title", "creator", "license", "page_url", "refused")
            found.append({name: getattr(candidate, name) for name in shown})
    except FetchError as error:
        broken = str(error) if error.reached else error.detail
    site = read(Path(query.site)) if query.source == "html" and query.site else None
    matches = [match for page in watched.read for match in _matches(site, page)] if site else []
    return SearchPreview({"source": query.source, "query": query.query}, found, matches, broken)


def _matches(site: SiteFile, response: Response) -> Iterator[PreviewMatch]:
    html, _ = charset.decode(response.body, response.content_type, site.html_encoding)
    try:
        soup = parsed(html, site.parser)
    except FetchError:
        return
    for key, css in _selectors(site):
        bare, attribute = selector(css)
        found = soup.select(bare)
        first = None
        if found:
            names = [attribute] if attribute else [None, "href", "src", "data-src"]
            first = next((said for name in names if (said := value(found[0], name))), None)
        yield PreviewMatch(response.final_url, key, css, len(found), first)


def _selectors(site: SiteFile) -> Iterator[tuple[str, str]]:
    yield "listing.item", site.listing.item
    if site.listing.next:
        yield "listing.next", site.listing.next
    for name in ("id", "title", "creator", "license", "variant"):
        rule = getattr(site.item, name)
        if rule is not None and rule.css:
            yield f"item.{name}.css", rule.css
    for n, pictures in enumerate(site.item.images):
        if pictures.css:
            yield f"item.images[{n}].css", pictures.css
