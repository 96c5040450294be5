"""Structured data that pages carry about their products and pictures (JSON-LD).

A page names many things: its own product, others that one may like, who sells it, the way to it. What is asked of a
page is asked of its own subject alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bs4 import BeautifulSoup

from curate.pipeline.scrape.sources.candidate import LONGEST_TEXT
from curate.pipeline.scrape.web.json_reader import read_json
from curate.pipeline.scrape.web.url import absolute, parts_of
from curate.pipeline.tables.folding import folded

Thing = Mapping[str, Any]

_COMMENT = re.compile(r"^\s*(?:<!--|/\*.*?\*/|<!\[CDATA\[)|(?:-->|\]\]>)\s*$", re.DOTALL)
_PRODUCTS = frozenset({"Product", "ProductGroup", "IndividualProduct", "ProductModel", "SomeProducts"})
_WORKS = frozenset({"ImageObject", "VisualArtwork", "Photograph", "Painting", "CreativeWork"})
_AROUND = frozenset(  # what a page names besides its subject
    "Person Organization Corporation Brand OnlineStore Store WebSite WebPage ItemPage CollectionPage SearchAction "
    "Offer BreadcrumbList ItemList ListItem Review AggregateRating AggregateOffer ContactPoint Place".split()
)
_PARTS = ("hasVariant", "model", "offers")  # of a product: its variants, and what is sold of it
_WAYS = ("@graph", "mainEntity", "mainEntityOfPage")  # from a container to what a page is about
_PICTURES = ("contentUrl", "url", "@id", "thumbnailUrl", "thumbnail")  # of an ImageObject, best first


class LinkedPicture(NamedTuple):
    """An image named in structured data."""

    url: str
    license: str | None = None
    creator: str | None = None
    text: str | None = None  # what is said of it
    variant: str | None = None  # what the one of the product that it shows is told by: its colour, mostly


class PageData(NamedTuple):
    """The things that one page names, with what tells which of them it is about."""

    things: tuple[Thing, ...]
    subject: Thing | None
    by_id: Mapping[str, Thing]


def read(soup: BeautifulSoup, url: str = "", addresses: tuple[str, ...] = (), heading: str = "") -> PageData:
    """The structured data of the page at `url`. Broken blocks are passed over.

    `addresses` are the page's other names for itself, `heading` what its first heading says: they tell its own product
    from others that it names.
    """
    things: list[Thing] = []
    for script in soup.find_all("script", type=re.compile(r"^\s*application/ld\+json", re.I)):
        try:
            things += _objects(read_json(_COMMENT.sub("", script.get_text().lstrip("\ufeff"))))
        except ValueError:
            continue
    by_id: dict[str, Thing] = {}
    for thing in things:
        if isinstance(name := thing.get("@id"), str) and len(thing) > 1:
            by_id.setdefault(name, thing)
    own = {path for one in (url, *addresses) if one and (path := _path(one, url))}
    return PageData(tuple(things), _subject(things, url, own, folded(heading)), by_id)


def text(page: PageData, key: str) -> str | None:
    """The value of `key` of the page's subject, or of its variants and offers, as text; of an object, its name."""
    for thing in _parts(page):
        if value := _plain(_resolved(page, thing.get(key))):
            return value
    return None


def words(page: PageData) -> str:
    """What the page says its subject is: its name, its kind, and the way that leads to it."""
    said = [_plain(page.subject.get(key)) for key in ("name", "category", "keywords")] if page.subject else []
    crumbs = [thing for thing in page.things if "BreadcrumbList" in _kinds(thing)]
    for crumb in crumbs:
        for step in _listed(crumb.get("itemListElement")):
            if isinstance(step, Mapping):
                said.append(_plain(step.get("name")) or _plain(step.get("item")))
    return "\n".join(filter(None, said))


def pictures(page: PageData, key: str = "image", variant: str = "color") -> list[LinkedPicture]:
    """Every image that `key` of the page's subject holds, as an address, a list or an ImageObject, each once.

    Those of its variants and offers come after its own, with what these say of `variant`.
    """
    found: dict[str, LinkedPicture] = {}
    for thing in _parts(page):
        named = _plain(_resolved(page, thing.get(variant))) if thing is not page.subject else None
        for value in _listed(thing.get(key)):
            picture = _picture(page, _resolved(page, value))
            if picture is None:
                continue
            known = found.setdefault(picture.url, picture)
            found[picture.url] = known._replace(variant=known.variant or named)
    return list(found.values())


def _objects(value: Any) -> Iterator[Thing]:
    """The things that stand at the top, in a graph, or as what a page is about; never what they are related to."""
    for item in _listed(value):
        if isinstance(item, Mapping):
            yield item
            for key in _WAYS:
                yield from _objects(item.get(key))


def _parts(page: PageData) -> list[Thing]:
    """The page's subject, then its variants and what is offered of it."""
    if page.subject is None:
        return []
    found = [page.subject]
    for item in [item for key in _PARTS for item in _listed(page.subject.get(key))]:
        part = _resolved(page, item)
        if isinstance(part, Mapping):
            inner = [item for key in ("itemOffered", "offers") for item in _listed(part.get(key))]
            found += [part, *(one for one in (_resolved(page, item) for item in inner) if isinstance(one, Mapping))]
    if "ProductGroup" not in _kinds(page.subject):
        return found
    group = {value for key in ("productGroupID", "@id") if (value := _plain(page.subject.get(key)))}
    return found + [thing for thing in page.things if _group_of(thing) & group and thing not in found]


def _group_of(thing: Thing) -> set[str]:
    """What names the group that a variant says it belongs to."""
    found = {_plain(thing.get("inProductGroupWithID"))}
    if isinstance(group := thing.get("isVariantOf"), Mapping):
        found |= {_plain(group.get("@id")), _plain(group.get("productGroupID"))}
    return {name for name in found if name}


def _subject(things: list[Thing], url: str, own: set[str], heading: str) -> Thing | None:
    """What the page is about: a product rather than a picture, and of several the one that has its address or name."""

    def evidence(thing: Thing) -> int:
        addresses = [value for key in ("url", "@id", "mainEntityOfPage") if (value := _plain(thing.get(key)))]
        paths = {path for one in addresses if (path := _path(one, url))}
        name = folded(_plain(thing.get("name")) or "")
        score = 4 if paths & own else -1 if paths else 0
        if name and heading:
            score += 4 if name == heading else 2 if name in heading or heading in name else 0
        return score

    tiers = (
        [thing for thing in things if _kinds(thing) & _PRODUCTS],
        [thing for thing in things if _kinds(thing) & _WORKS],
        [thing for thing in things if not _kinds(thing) & (_PRODUCTS | _WORKS | _AROUND) and "@graph" not in thing],
    )
    for tier in tiers:
        found = [(evidence(thing), thing) for thing in tier]
        if found and (best := max(found, key=lambda one: one[0]))[0] >= 0:  # of equals the first
            return best[1]
    return None


def _path(address: str, base: str) -> str | None:
    """An address without scheme, query and fragment, if it is one of a page; None for a mere name or a bare host."""
    parts = parts_of(absolute(address, base))
    path = parts.path.rstrip("/")
    return f"{(parts.hostname or '').removeprefix('www.')}{path}" if path else None


def _kinds(thing: Thing) -> set[str]:
    return {re.split(r"[/:#]", kind)[-1] for kind in _listed(thing.get("@type")) if isinstance(kind, str)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _resolved(page: PageData, value: Any) -> Any:
    """What a mere reference, {"@id": ...}, refers to; everything else as it is."""
    if isinstance(value, Mapping) and set(value) <= {"@id", "@type"} and isinstance(name := value.get("@id"), str):
        return page.by_id.get(name, value)
    return value


def _plain(value: Any) -> str | None:
    for item in _listed(value):
        if isinstance(item, Mapping):
            item = item.get("@value") or item.get("name") or item.get("url") or item.get("@id")
        if isinstance(item, str | int | float) and not isinstance(item, bool) and str(item).strip():
            return str(item).strip()[:LONGEST_TEXT]
    return None


def _picture(page: PageData, value: Any) -> LinkedPicture | None:
    if isinstance(value, str):
        return LinkedPicture(value)
    if not isinstance(value, Mapping):
        return None
    url = next((found for key in _PICTURES if (found := _plain(value.get(key)))), None)
    if url is None:
        return None
    said = [_plain(value.get(key)) for key in ("name", "caption", "description", "alternateName")]
    return LinkedPicture(
        url,
        _plain(_resolved(page, value.get("license"))),
        _plain(_resolved(page, value.get("creator"))) or _plain(value.get("creditText")),
        " ".join(filter(None, said)) or None,
    )
