"""Who we say we are, and which page we say an image was found on."""

from __future__ import annotations

from urllib.parse import urlsplit

import curate
from curate.pipeline.scrape.web.url import Url, parse


def agent(contact: str | None) -> str:
    """The User-Agent: our own name, and whom to write to, if we know."""
    return f"curate/{curate.__version__}" + (f" (+{contact})" if contact else "")


def referer(page_url: str | None, url: Url) -> dict[str, str]:
    """The page that an image was found on; across hosts, its origin alone."""
    if page_url is None:
        return {}
    page = urlsplit(page_url)
    if page.scheme not in {"http", "https"} or (page.scheme == "https" and url.scheme == "http"):
        return {}
    if page.hostname == url.host:
        return {"Referer": parse(page_url).text}
    return {"Referer": f"{page.scheme}://{page.netloc.rpartition('@')[2]}/"}
