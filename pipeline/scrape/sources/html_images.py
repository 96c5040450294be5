"""Where an HTML element's picture really is: every address that it offers, the best first.

Themes write one picture in many ways: src, srcset, <picture>, a dozen data- attributes, a <noscript> beside it, a
style, a link around it, a template of widths. No list of names is complete, so every attribute that holds addresses
counts, and what is best is told by the width that is stated, else by the width in the address, else by the words of
the attribute's name. What is only a stand-in is told by its bytes, when it has been fetched, and the next one is tried.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from bs4 import BeautifulSoup, Tag

from curate.pipeline.scrape.sources.html_parser import parsed
from curate.pipeline.scrape.sources.srcset import parse_srcset
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.url import absolute

_NODES = 100  # of a <picture> that are looked at for each of its images
MOST = 6  # addresses of one picture that are worth a request

_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/bmp", "image/tiff"})
_STAND_IN = re.compile(r"^(data|about|javascript|blob):|^#", re.I)
_RASTER = re.compile(r"\.(jpe?g|jfif|png|webp|gif|avif|bmp|tiff?)(?=$|[?#&])", re.I)
_WORD = re.compile(r"\s*[^\s{}<>\"]+\s*")
_PLACE = re.compile(r"(?:\{|%7b|\[)\s*(?:width|w|size)\s*(?:\}|%7d|\])", re.I)  # in a template of widths
_STYLE = re.compile(
    r"url\(\s*(?:\"([^\"]*)\"\s*|'([^']*)'\s*|&quot;((?:(?!&quot;|\().)*)&quot;\s*|([^\s\"'()][^\"'()]*))\)", re.I
)
_IN_NAME = (  # widths, as renditions are called
    re.compile(r"[_-](\d{2,4})x(?:\d{2,4})?(?=[_.@-]|$)", re.I),
    re.compile(r"[?&](?:w|wid|width|imwidth|sw)=(\d{2,5})(?:&|$)", re.I),
    re.compile(r"[/,](?:w|width)[_=-](\d{2,5})(?=[/,])", re.I),
    re.compile(r"/(\d{2,4})x\d{2,4}/"),
    re.compile(r"[._](?:AC_)?(?:SL|SX|UX|SS|UL)(\d{2,4})_"),
)
_WIDTHS = (1500, 1000, 700)  # px, asked of a template that states none
_WIDEST = 100_000  # px; what is said to be wider is no width
_LARGE = re.compile(r"zoom|large|full|orig|hires|high|big|max|master|retina|super|magnif", re.I)
_SMALL = re.compile(r"thumb|small|tiny|lqip|low|preview|placeholder|blur|mini|icon|error|fallback", re.I)
_PICTURE = re.compile(r"src|image|img|photo|pic|lazy|orig|zoom|large|hires|full", re.I)  # in a data- attribute's name
_OTHER = re.compile(  # of data- attributes that lead elsewhere, or to another picture
    r"href|link|page|share|api|script|video|hover|roll|mouse|second|alternat|-alt|back(?!ground)|flip|swatch|logo|badge"
    r"|next|prev",
    re.I,
)
# px that an address without a width counts as, by where it stands; any that is stated is believed over a guess
_ZOOM, _AROUND, _LAZY, _NOSCRIPT, _PLAIN, _THUMB = 1600.0, 1400.0, 640.0, 600.0, 400.0, 90.0


class Offer(NamedTuple):
    """One address of a picture."""

    url: str  # absolute
    width: int | None  # px, as the page states it
    worth: float  # px, stated or guessed: what offers are ranked by
    plain: bool  # it stands in src, where stand-ins do


def base_of(soup: BeautifulSoup, url: str) -> str:
    """What relative addresses on the page at `url` are relative to."""
    base = soup.find("base", href=True)
    return absolute(str(base["href"]), url) or url if isinstance(base, Tag) else url


def is_stand_in(url: str) -> bool:
    """Whether an address leads to no picture: empty, a template, of a scheme that is not fetched. Names say nothing."""
    return not url.strip() or "{" in url or bool(_STAND_IN.search(url.strip()))


def offers(element: Tag, base: str) -> list[Offer]:
    """The addresses that `element` offers for its picture, each once, the best first; at most MOST.

    Looked at are its own attributes, a surrounding <picture>, a link around it, the <noscript> beside it, and, where
    it is itself no image, the image that it holds.
    """
    found: dict[str, Offer] = {}
    for url, width, guess, plain in _written(element):
        if not is_stand_in(url) and (address := absolute(url, base)):
            stated = width or _width_in(address)
            offer = Offer(address, int(width) if width and width < _WIDEST else None, stated or guess, plain)
            if address not in found or found[address].worth < offer.worth:
                found[address] = offer
    return sorted(found.values(), key=lambda offer: -offer.worth)[:MOST]


def without_shared(pictures: Sequence[list[Offer]]) -> list[list[Offer]]:
    """`pictures`, the offers of each, without the address in src that several of them share: the sign of a spinner.

    What is the only address of a picture stays.
    """
    shared = Counter(offer.url for found in pictures for offer in found if offer.plain)
    kept = [[offer for offer in found if not (offer.plain and shared[offer.url] > 1)] for found in pictures]
    return [few or found for few, found in zip(kept, pictures, strict=True)]


def stands_for_another(element: Tag) -> bool:
    """Whether `element` is what a <noscript> shows in place of the image before it."""
    hidden = element.find_parent("noscript")
    return hidden is not None and _image_beside(hidden) is not None


_Written = tuple[str, float | None, float, bool]  # address, stated width, guessed width, in src


def _written(element: Tag) -> Iterator[_Written]:
    picture = element if element.name == "picture" else element.find_parent("picture")
    if isinstance(picture, Tag):  # lxml nests its children: <source> has no end tag
        for source in islice(picture.descendants, _NODES):
            if isinstance(source, Tag) and source.name == "source" and _is_shown(source):
                yield from _own(source)
    yield from _own(element)
    if element.name not in {"img", "source", "meta", "link"}:
        images = (one for one in element.descendants if isinstance(one, Tag) and one.name == "img")
        inside = list(islice((one for one in images if not stands_for_another(one)), 2))
        if len(inside) == 1:
            yield from _own(inside[0])
            yield from _noscript(inside[0])
    link = element.find_parent("a", href=True)
    if isinstance(link, Tag) and _RASTER.search(str(link["href"])):
        yield str(link["href"]), None, _AROUND, False
    yield from _noscript(picture if isinstance(picture, Tag) else element)
    if picture is not element:
        yield from _noscript(element)


def _is_shown(source: Tag) -> bool:
    return str(source.get("type") or "image/jpeg").split(";")[0].strip().lower() in _SHOWN


def _own(element: Tag) -> Iterator[_Written]:
    """What the attributes of one element say."""
    widths = _numbers(str(element.get("data-widths") or ""))
    for name, raw in element.attrs.items():
        text = " ".join(raw) if isinstance(raw, list) else str(raw)
        if name.startswith("data-") and (name == "data-widths" or _OTHER.search(name)):
            continue
        if name == "style":
            yield from ((url, None, _LAZY, False) for url in _urls_of_style(text))
        elif name == "src":
            yield from _filled(text, widths, _PLAIN, plain=True)
        elif name in {"content", "href", "poster"}:
            yield text, None, _AROUND if _RASTER.search(text) else _THUMB, False  # a link may lead to a page
        elif "srcset" in name or name.endswith(("bgset", "-set", "-sources")):
            sources = parse_srcset(text)
            yield from ((s.url, s.width or None, _PLAIN * s.density, False) for s in sources)
        elif name.startswith("data-"):
            yield from _of_data(name, text, widths)


def _of_data(name: str, text: str, widths: list[int]) -> Iterator[_Written]:
    """What one data- attribute says: an address, a template, a set, a style or JSON."""
    guess = _guess(name, _LAZY)
    if text.lstrip()[:1] in {"{", "["} and text.rstrip()[-1:] in {"}", "]"}:
        try:
            yield from _of_json(read_json(text), guess)
        except ValueError:
            return
    elif urls := _urls_of_style(text):
        yield from ((url, None, guess, False) for url in urls)
    elif re.search(r"\s\d+(\.\d+)?[wx]\s*(,|$)", text):
        yield from ((s.url, s.width or None, guess * s.density, False) for s in parse_srcset(text))
    elif _RASTER.search(text) or _PLACE.search(text):
        yield from _filled(text, widths, guess, plain=False)
    elif ("/" in text or "." in text) and _WORD.fullmatch(text) and _PICTURE.search(name):
        yield text, None, guess, False


def _urls_of_style(text: str) -> list[str]:
    return [url.strip() for found in _STYLE.findall(text) for url in found if url]


def _guess(name: str, otherwise: float) -> float:
    """The px that a picture in an attribute or under a key called `name` counts as."""
    return _THUMB if _SMALL.search(name) else _ZOOM if _LARGE.search(name) else otherwise


def _of_json(value: Any, guess: float) -> Iterator[_Written]:
    """Addresses within JSON: {address: [width, height]}, or values with telling keys."""
    if isinstance(value, str) and _RASTER.search(value):
        yield value, None, guess, False
    elif isinstance(value, list):
        for item in value:
            yield from _of_json(item, guess)
    elif isinstance(value, dict):
        for key, item in value.items():
            size = item if isinstance(item, list) else []
            if _RASTER.search(key) and size and all(isinstance(side, int) and side < _WIDEST for side in size):
                yield key, float(size[0]), guess, False
            else:
                yield from _of_json(item, _guess(key, guess))


def _filled(text: str, widths: list[int], guess: float, plain: bool) -> Iterator[_Written]:
    """`text`, or, if it is a template of widths, what it stands for."""
    if not _PLACE.search(text):
        if "{" not in text:
            yield text, None, guess, plain
        return
    for width in sorted(widths, reverse=True)[:2] or _WIDTHS:
        filled = re.sub(r"\{\w+\}|%7b\w+%7d", "", _PLACE.sub(str(width), text), flags=re.I)
        yield filled, float(width), guess, False


def _noscript(element: Tag) -> Iterator[_Written]:
    for beside in (element.find_next_sibling(), element.find_previous_sibling()):
        if isinstance(beside, Tag) and beside.name == "noscript" and _image_beside(beside) is element:
            images: Iterable[Any] = beside.find_all("img") or parsed(beside.get_text()).find_all("img")
            for image in images:
                yield from (
                    (url, width, _NOSCRIPT if plain else guess, False) for url, width, guess, plain in _own(image)
                )


def _image_beside(hidden: Tag) -> Tag | None:
    """What a <noscript> stands for: the element just before it, else the one just after it, if that shows a picture."""
    for beside in (hidden.find_previous_sibling(), hidden.find_next_sibling()):
        if isinstance(beside, Tag) and (beside.name in {"img", "picture"} or beside.get("style") or _of_any(beside)):
            return beside
    return None


def _of_any(element: Tag) -> bool:
    return any(name.startswith("data-") for name in element.attrs)


def _width_in(url: str) -> float | None:
    """The width, in px, that an address states of its rendition."""
    found = [float(match.group(1)) for pattern in _IN_NAME if (match := pattern.search(url))]
    return found[0] if found else None


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text) if len(number) < 5 and int(number) > 0]
