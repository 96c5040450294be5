"""Signals by which a site reserves its pages and pictures from collection: headers and meta tags."""

from __future__ import annotations

import re
from collections.abc import Iterable

TOKEN = "curate"  # the name that robots.txt groups and scoped directives address us by

_REFUSALS = frozenset("noai noimageai noindex noimageindex none noml".split())
# Directives that carry a value; any other word before a colon names the agent that the rest is meant for.
_VALUED = frozenset("unavailable_after max-snippet max-image-preview max-video-preview".split())


def refused_by_headers(robots: Iterable[str], reservation: str | None) -> str | None:
    """The refusal in the X-Robots-Tag lines (one string per header line) or TDM-Reservation, or None."""
    for line in robots:
        if found := _refusal(line):
            return found
    return "tdm-reservation" if reservation is not None and reservation.strip() == "1" else None


def refused_by_meta(tags: Iterable[tuple[str, str]]) -> str | None:
    """The refusal in (name, content) pairs of a page's meta elements, or None."""
    for name, content in tags:
        name = name.strip().lower()
        if name in {"robots", TOKEN} and (found := _refusal(content, scoped=False)):
            return found
        if name == "tdm-reservation" and content.strip() == "1":
            return "tdm-reservation"
    return None


def says_nofollow(tags: Iterable[tuple[str, str]]) -> bool:
    """Whether the meta elements ask us not to follow the page's links."""
    return any(
        name.strip().lower() in {"robots", TOKEN} and {"nofollow", "none"} & set(re.split(r"[\s,]+", content.lower()))
        for name, content in tags
    )


def _refusal(line: str, scoped: bool = True) -> str | None:
    """The first refusing directive in one line that is meant for us or for all.

    A scope holds for the directives after it, up to the next scope.
    """
    ours = True
    for part in line.lower().split(","):
        head, colon, tail = part.partition(":")
        if colon and scoped and head.strip() not in _VALUED:
            ours = head.strip() in {TOKEN, "*"}
            part = tail
        if ours:
            for word in part.split():
                if word in _REFUSALS:
                    return word
    return None
