"""Which colour of a product a picture shows, so that the red one is worn by who wears the red one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from bs4 import Tag

from curate.pipeline.scrape.sources import jsonld
from curate.pipeline.scrape.sources.site_file import FieldRule, selector, value
from curate.pipeline.scrape.web.url import absolute, parts_of
from curate.pipeline.tables import colour_words
from curate.pipeline.tables.folding import folded

_RENDITION = re.compile(r"[_-](\d{2,4}x(\d{2,4})?|\{width\}x|large|small|grande|medium|thumb|scaled)$", re.I)
_LONGEST_SIZE = 16  # characters


class PageOfItem(Protocol):
    """What is asked of a page."""

    @property
    def base(self) -> str:
        """What its relative addresses are relative to."""

    @property
    def data(self) -> jsonld.PageData:
        """Its structured data."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture that a rule picked; each is itself alone, whatever its addresses."""

    role: str | None

    offers: tuple[str, ...]  # its addresses, the best first
    element: Tag | None  # None: named in structured data
    creator: str | None = None
    license_url: str | None = None
    width: int | None = None
    text: str = ""  # what the page says of it
    variant: str | None = None  # as structured data state it


def bind(page: PageOfItem, rule: FieldRule | None, seen: Sequence[Seen]) -> dict[Seen, str | None]:
    """The variant that each picture shows, folded; None where the page does not say.

    By `rule`, item.variant of the site file; without one by the colours in the structured data, else by those named in
    the pictures' texts, in their files' names, or in either. These count only where they tell several variants apart
    and give one of them pictures in two roles: the article's "white background" names no variant.
    """
    if rule is not None:
        stated = _stated(page, seen, rule.jsonld) if rule.jsonld else {}
        below: dict[int, list[Tag]] = {}
        return {one: _by_rule(rule, one, stated.get(one), below) for one in seen}
    texts = {one: colour_words.colours(one.text) for one in seen}
    files = {one: colour_words.colours(_file_name(one.offers[0])) for one in seen}
    ways = (_stated(page, seen, "color"), texts, files, {one: texts[one] or files[one] for one in seen})
    return next((named for named in ways if _tells(named)), {})


def stem(url: str) -> str:
    """What all renditions of one picture share: the address without scheme, query, size and suffix."""
    parts = parts_of(url)
    path = parts.path.rpartition(".")[0] or parts.path
    while size := _RENDITION.search(path, max(0, len(path) - _LONGEST_SIZE)):
        path = path[: size.start()]
    return f"{parts.hostname or ''}{path}"


def _tells(named: dict[Seen, str | None]) -> bool:
    """Whether there are several variants, one of them with pictures in two roles."""
    roles: defaultdict[str, set[str | None]] = defaultdict(set)
    for one, name in named.items():
        if name:
            roles[name].add(one.role)
    return len(roles) > 1 and max(map(len, roles.values())) > 1


def _by_rule(rule: FieldRule, one: Seen, stated: str | None, below: dict[int, list[Tag]]) -> str | None:
    found = (one.variant or stated) if rule.jsonld else None
    if not found and rule.css and one.element is not None:
        found = _nearest(one.element, *selector(rule.css), below)
    if not found and rule.regex:
        for url in one.offers:
            if match := re.search(rule.regex, unquote(url)):
                found = match.group(1) if match.re.groups else match.group()
                break
    return folded(found or rule.default or "") or None


def _nearest(element: Tag, css: str, attribute: str | None, below: dict[int, list[Tag]]) -> str | None:
    """What the nearest element that matches says: the picture's own, the first around it, or the only one beside it.

    `below` is what was found below elements before, by their id: pictures share those around them.
    """
    for around in (element, *element.parents):
        if around.css.match(css):
            return value(around, attribute)
        if id(around) not in below:
            below[id(around)] = around.select(css, limit=2)
        if beside := below[id(around)]:
            return value(beside[0], attribute) if len(beside) == 1 else None
    return None


def _stated(page: PageOfItem, seen: Sequence[Seen], key: str) -> dict[Seen, str | None]:
    """What the structured data say of the variants whose pictures these are."""
    stated = {
        stem(absolute(picture.url, page.base) or ""): folded(picture.variant)
        for picture in jsonld.pictures(page.data, "image", key)
        if picture.variant
    }
    return {one: next((stated[s] for url in one.offers if (s := stem(url)) in stated), None) for one in seen}


def _file_name(url: str) -> str:
    return re.sub(r"[_\W]+", " ", unquote(parts_of(url).path.rpartition("/")[2]))
