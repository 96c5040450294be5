"""Who we say we are, and which page we say an image was found on."""

from __future__ import annotations

import curate
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.url import Url, parse


def agent(contact: str | None) -> str:
    """The User-Agent: our own name, and whom to write to, if we know."""
    return f"curate/{curate.__version__}" + (f" (+{contact})" if contact else "")


def referer(page_url: str | None, url: Url) -> dict[str, str]:
    """The page that an image was found on; across hosts, its origin alone; nothing for an address that is none."""
    if page_url is None:
        return {}
    try:
        page = parse(page_url)
    except FetchError:
        return {}
    if page.scheme == "https" and url.scheme == "http":
        return {}
    return {"Referer": page.text if page.host == url.host else page.at("/").text}
