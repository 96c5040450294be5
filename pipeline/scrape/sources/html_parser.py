"""HTML to a tree: what every reader of pages begins with."""

from __future__ import annotations

import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, Tag, XMLParsedAsHTMLWarning
from bs4.exceptions import ParserRejectedMarkup

from curate.pipeline.scrape.web.fetch_errors import FetchError

# What a page looks like is its author's business, and no news for whoever runs a scrape.
for _about_pages in (MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning):
    warnings.filterwarnings("ignore", category=_about_pages)

MOST = 3_000_000  # levels of all elements together: what looking for one, around or below each of them, costs


def parsed(html: str, parser: str = "lxml") -> BeautifulSoup:
    """The tree of `html`. Raises FetchError decode_failed for what is none, or nested beyond all use."""
    try:
        soup = BeautifulSoup(html, parser)
    except (ParserRejectedMarkup, AssertionError, RecursionError, ValueError) as error:
        raise FetchError("decode_failed", f"no HTML: {str(error)[:200] or type(error).__name__}") from error
    if _levels(soup) > MOST:
        raise FetchError("decode_failed", "no HTML: its elements are nested too deeply")
    return soup


def _levels(soup: BeautifulSoup) -> int:
    """How deep each element stands, added up, as far as that is no more than MOST."""
    depths: dict[int, int] = {id(soup): 0}
    total = 0
    for element in soup.descendants:
        if isinstance(element, Tag):
            depth = depths[id(element)] = depths[id(element.parent)] + 1
            total += depth
            if total > MOST:
                break
    return total
