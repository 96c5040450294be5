"""Structured data that pages carry about their products and pictures (JSON-LD)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bs4 import BeautifulSoup

_COMMENT = re.compile(r"^\s*(?:<!--|/\*.*?\*/|<!\[CDATA\[)|(?:-->|\]\]>)\s*$", re.DOTALL)
_SUBJECTS = ("Product", "ProductGroup", "ImageObject", "VisualArtwork", "Photograph", "CreativeWork")


class LinkedPicture(NamedTuple):
    """An image named in structured data."""

    url: str
    license: str | None
    creator: str | None


def things(soup: BeautifulSoup) -> list[Mapping[str, Any]]:
    """Every object of the page's JSON-LD, products and pictures first. Broken blocks are passed over."""
    found: list[Mapping[str, Any]] = []
    for script in soup.find_all("script", type="application/ld+json"):
        try:
            found += _objects(json.loads(_COMMENT.sub("", script.get_text().lstrip("\ufeff")), strict=False))
        except (ValueError, RecursionError):
            continue
    return sorted(found, key=_subject)


def text(found: list[Mapping[str, Any]], key: str) -> str | None:
    """The first value of `key` as text; of an object, its name."""
    for thing in found:
        if value := _plain(thing.get(key)):
            return value
    return None


def pictures(found: list[Mapping[str, Any]], key: str = "image") -> list[LinkedPicture]:
    """Every image that `key` holds, whether as an address, a list or an ImageObject."""
    return [picture for thing in found for value in _listed(thing.get(key)) if (picture := _picture(value))]


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for item in _listed(value):
        if isinstance(item, Mapping):
            yield item
            for key in ("@graph", "hasVariant", "mainEntity"):
                yield from _objects(item.get(key))


def _subject(thing: Mapping[str, Any]) -> int:
    kinds = _listed(thing.get("@type"))
    return min((_SUBJECTS.index(kind) for kind in kinds if kind in _SUBJECTS), default=len(_SUBJECTS))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _plain(value: Any) -> str | None:
    for item in _listed(value):
        if isinstance(item, Mapping):
            item = item.get("name") or item.get("url") or item.get("@id")
        if isinstance(item, str | int | float) and not isinstance(item, bool) and str(item).strip():
            return str(item).strip()
    return None


def _picture(value: Any) -> LinkedPicture | None:
    if isinstance(value, str):
        return LinkedPicture(value, None, None)
    if isinstance(value, Mapping) and (url := _plain(value.get("contentUrl")) or _plain(value.get("url"))):
        return LinkedPicture(url, _plain(value.get("license")), _plain(value.get("creator") or value.get("creditText")))
    return None
