"""HTML to a tree: what every reader of pages begins with."""

from __future__ import annotations

import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.exceptions import ParserRejectedMarkup

from curate.pipeline.scrape.web.fetch_errors import FetchError

# What a page looks like is its author's business, and no news for whoever runs a scrape.
for _about_pages in (MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning):
    warnings.filterwarnings("ignore", category=_about_pages)


def parsed(html: str, parser: str = "lxml") -> BeautifulSoup:
    """The tree of `html`. Raises FetchError decode_failed for what `parser` cannot make one of."""
    try:
        return BeautifulSoup(html, parser)
    except (ParserRejectedMarkup, AssertionError, RecursionError, ValueError) as error:
        raise FetchError("decode_failed", f"no HTML: {str(error)[:200] or type(error).__name__}") from error
