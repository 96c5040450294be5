"""Where an HTML element's picture really is: srcset, picture, lazy-loading attributes, placeholders."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag

# Shops keep the large picture in one of these, best first, and a placeholder in src.
LAZY = tuple(
    "data-zoom-image data-large_image data-full-url data-original data-lazy-src data-src data-lazy data-echo "
    "data-image".split()
)
_SETS = ("srcset", "data-srcset", "data-lazy-srcset")
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/bmp", "image/tiff"})
_PLACEHOLDER = re.compile(
    r"^(data|about|javascript):|(^|[/_.-])(blank|spacer|dummy|placeholder|loading|noimage|no_image|now_?printing)\b",
    re.I,
)
_RASTER = re.compile(r"\.(jpe?g|png|webp|gif|avif|bmp|tiff?)(\?|$)", re.I)


class Source(NamedTuple):
    """One candidate of a srcset: its address as written, and the width (px) or density that it is said to have."""

    url: str
    width: float
    density: float


def parse_srcset(text: str) -> list[Source]:
    """The candidates of a srcset, as HTML tokenises it: addresses may hold commas, parentheses shield descriptors.

    Candidates with bad descriptors are dropped.
    """
    found: list[Source] = []
    at = 0
    while match := re.compile(r"[\s,]*(\S+)").match(text, at):
        url, at = match.group(1), match.end()
        descriptors = ""
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            end = re.compile(r"(?:\([^)]*\)|[^,(])*").match(text, at)
            assert end is not None, "the pattern matches the empty string"
            descriptors, at = end.group(), end.end()
        if url and (source := _described(url, descriptors.split())) is not None:
            found.append(source)
    return found


def _described(url: str, descriptors: list[str]) -> Source | None:
    width, density = 0.0, 1.0
    for word in descriptors:
        match = re.fullmatch(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([wxh])", word)
        if match is None:
            return None
        if match.group(2) == "w":
            width = float(match.group(1))
        elif match.group(2) == "x":
            density = float(match.group(1))
    return Source(url, width, density)


def is_placeholder(url: str) -> bool:
    """Whether an address is that of the picture shown before, or instead of, the real one."""
    return not url.strip() or bool(_PLACEHOLDER.search(url.strip().partition("?")[0]))


def absolute(url: str, base: str) -> str | None:
    """`url` resolved against `base`, stripped of the white space that pages put into addresses; None if hopeless."""
    try:
        return urljoin(base, re.sub(r"[\t\r\n]", "", url.strip()))
    except ValueError:
        return None


def base_of(soup: BeautifulSoup, url: str) -> str:
    """What relative addresses on the page at `url` are relative to."""
    base = soup.find("base", href=True)
    return absolute(str(base["href"]), url) or url if isinstance(base, Tag) else url


def picture_url(element: Tag, base: str) -> tuple[str | None, int | None]:
    """The best address that `element` offers, absolute, and its width in px where a descriptor says so.

    In order: the largest of a surrounding <picture>; its own sets; the lazy-loading attributes; the image that a
    wrapping link leads to; src; the <noscript> beside it. Placeholders are passed over.
    """
    for url, width in _offers(element):
        if not is_placeholder(url) and (address := absolute(url, base)):
            return address, width
    return None, None


def _offers(element: Tag) -> list[tuple[str, int | None]]:
    offers: list[tuple[str, int | None]] = []
    picture = element.find_parent("picture")  # lxml nests its children: <source> has no end tag
    if picture is not None:
        for source in picture.find_all("source"):
            if isinstance(source, Tag) and str(source.get("type") or "image/jpeg").split(";")[0].strip() in _SHOWN:
                offers += _largest(source)
    offers += _largest(element)
    offers += [(str(element[name]), None) for name in LAZY if element.get(name)]
    link = element.find_parent("a", href=True)
    if link is not None and _RASTER.search(str(link["href"])):
        offers.append((str(link["href"]), None))
    offers += [(str(element[name]), None) for name in ("src", "content", "href") if element.get(name)]
    beside = element.find_next_sibling()
    if isinstance(beside, Tag) and beside.name == "noscript" and (image := beside.find("img")) is not None:
        offers += [*_largest(image), (str(image.get("src") or ""), None)]
    return offers


def _largest(element: Tag) -> list[tuple[str, int | None]]:
    sources = [s for name in _SETS if element.get(name) for s in parse_srcset(str(element[name]))]
    sources = sorted((s for s in sources if not is_placeholder(s.url)), key=lambda s: (-s.width, -s.density))
    return [(s.url, int(s.width) or None) for s in sources[:1]]
