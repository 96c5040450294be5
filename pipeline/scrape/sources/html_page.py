"""One page of a site: what it says of itself and of an item, and which pictures of it play which roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from bs4 import Tag
from w3lib.url import canonicalize_url, url_query_cleaner

from curate.pipeline.scrape.sources import html_images, jsonld, variants
from curate.pipeline.scrape.sources.candidate import LONGEST_TEXT
from curate.pipeline.scrape.sources.html_parser import parsed
from curate.pipeline.scrape.sources.site_file import FieldRule, ItemRules, Pictures, SiteFile, selector, value
from curate.pipeline.scrape.web import charset, optout, signals
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.url import absolute, parts_of
from curate.pipeline.tables.folding import matches

# Parameters that say how somebody came to a page, not which page it is.
_WAYS = ("utm_source utm_medium utm_campaign utm_term utm_content gclid fbclid yclid _pos _sid _ss _psq _fid").split()


_WORDS = 200  # pieces of a caption that are read, once for each of its pictures
IMAGES = frozenset({"img", "source", "picture"})


class ShownPicture(NamedTuple):
    """A picture on a page."""

    role: str | None
    offers: tuple[str, ...]  # its addresses, the best first
    creator: str | None = None
    license_url: str | None = None
    width: int | None = None  # px, as the page claims of the first address
    text: str | None = None  # what the page says of it
    variant: str | None = None  # of the product: its colour, mostly

    @property
    def url(self) -> str:
        """The address to try first."""
        return self.offers[0]


class HtmlPage:
    """A parsed page and what its head says about it."""

    def __init__(self, response: Response, site: SiteFile) -> None:
        html, self.encoding = charset.decode(response.body, response.content_type, site.html_encoding)
        self.soup = parsed(html, site.parser)
        self.url = response.final_url
        self.base = html_images.base_of(self.soup, self.url)
        metas = [(str(m.get("name") or ""), str(m.get("content") or "")) for m in self.soup.find_all("meta")]
        by_meta = optout.refused_by_meta(metas)
        by_server = "optout_header" if response.optout else "optout_signal" if response.signal else None
        self.refused = by_server or ("optout_meta" if by_meta else None)
        linked = [str(one["href"]) for one in self.soup.select(f'link[rel~=license][type="{signals.RSL}"][href]')]
        named = [absolute(one, self.base) or one for one in linked]
        # By RSL; an address that is none stays, and gives no licence.
        self.licenses = dict.fromkeys([*(absolute(one, self.url) or one for one in response.licenses), *named])
        self.nofollow = optout.says_nofollow(metas)
        heading = self.soup.find("h1")
        self.heading = heading.get_text(" ", strip=True) if isinstance(heading, Tag) else ""
        self.unreadable: dict[str, None] = {}  # addresses of pictures that are none
        self.data = jsonld.read(self.soup, self.url, tuple(self._own_addresses()), self.heading)

    def _own_addresses(self) -> Iterator[str]:
        """What the page calls itself: its canonical address, as search engines and as social networks read it."""
        for css, attribute in (
            ("link[rel~=canonical][href]", "href"),
            ("meta[property='og:url'][content]", "content"),
        ):
            if (found := self.soup.select_one(css)) and (named := absolute(str(found[attribute]), self.base)):
                yield named

    def links(self, found: list[Tag], attribute: str) -> list[str]:
        """The absolute addresses, without fragments, in an attribute of each element."""
        raw = [value(element, attribute) for element in found]
        return [urldefrag(url).url for text in raw if text and (url := absolute(text, self.base))]

    def fact(self, rule: FieldRule | None) -> str | None:
        """What `rule` finds on the page."""
        if rule is None:
            return None
        if rule.jsonld and (found := jsonld.text(self.data, rule.jsonld)):
            return found
        if rule.css:
            css, attribute = selector(rule.css)
            element = self.soup.select_one(css)
            if element is not None and (found := value(element, attribute)):
                return found
        if rule.regex and (match := re.search(rule.regex, self.url)):
            return match.group(1) if match.re.groups else match.group()
        return rule.default

    def identity(self, host: str) -> str:
        """The canonical address of the page, its own word for it taken when it stays on `host`."""
        named = (one for one in self._own_addresses() if parts_of(one).hostname == host)
        return same_page(next(named, self.url))


def same_page(url: str) -> str:
    """`url` as it is compared with others: canonical, without what says how somebody came there."""
    return canonicalize_url(url_query_cleaner(url, _WAYS, remove=True))


def pictures(page: HtmlPage, rules: ItemRules) -> list[ShownPicture]:
    """The pictures of the item on `page`, by the rules in their order, each once in a role.

    Where the page shows several variants, `pick` and `max` count within each.
    """
    found = [(rule, _offered(page, rule)) for rule in rules.images]
    named = variants.bind(page, rules.variant, [seen for _, group in found for seen in group])
    shown: list[ShownPicture] = []
    taken: set[str] = set()
    for rule, group in found:
        counts: dict[str | None, int] = {}
        for seen in group:
            of = named.get(seen)
            if seen.offers[0] in taken or counts.get(of, 0) >= (1 if rule.pick == "first" else rule.max):
                continue
            counts[of] = counts.get(of, 0) + 1
            taken.update(seen.offers)
            shown.append(
                ShownPicture(rule.role, seen.offers, seen.creator, seen.license_url, seen.width, seen.text or None, of)
            )
    return shown


def picture_of(element: Tag, page: HtmlPage) -> tuple[str, ...]:
    """The addresses that `element` offers for its picture, the best first."""
    return tuple(offer.url for offer in html_images.offers(element, page.base))


def unreadable(element: Tag, page: HtmlPage, attribute: str = "href") -> str | None:
    """What stands where an element that offers no address has one, or None if there is nothing."""
    said = value(element, "src" if element.name in IMAGES else attribute)
    return said if said and not html_images.is_stand_in(said) and absolute(said, page.base) is None else None


def _offered(page: HtmlPage, rule: Pictures) -> list[variants.Seen]:
    """What `rule` picks of the page, each picture once."""
    found = list(_elements(page, rule.css, rule.role)) if rule.css else []
    if rule.jsonld and not found:
        found = list(_linked(page, rule.jsonld, rule.role))
    seen: set[str] = set()
    kept = []
    for one in found:
        if one.offers[0] not in seen and all(_says(one, key, pattern) for key, pattern in rule.where.items()):
            seen.update(one.offers)
            kept.append(one)
    return kept


def _elements(page: HtmlPage, css: str, role: str | None) -> Iterator[variants.Seen]:
    picked = [element for element in page.soup.select(css) if not html_images.stands_for_another(element)]
    offered = html_images.without_shared([html_images.offers(element, page.base) for element in picked])
    for element, offers in zip(picked, offered, strict=True):
        if not offers and (said := unreadable(element, page)):
            page.unreadable[said] = None
        if offers:
            text = _text(element)
            urls = tuple(offer.url for offer in offers)
            yield variants.Seen(role, urls, element, width=offers[0].width, text=text)


def _linked(page: HtmlPage, key: str, role: str | None) -> Iterator[variants.Seen]:
    """The pictures that the page's structured data name; what the page says of them where it shows them."""
    said = _texts(page)
    for picture in jsonld.pictures(page.data, key):
        url = absolute(picture.url, page.base)
        if url and not html_images.is_stand_in(url):
            text = picture.text or said.get(variants.stem(url), "")
            yield variants.Seen(role, (url,), None, picture.creator, picture.license, None, text, picture.variant)


def _texts(page: HtmlPage) -> dict[str, str]:
    """What the page's images say, by their addresses."""
    return {
        variants.stem(offer.url): text
        for element in page.soup.find_all("img")
        if isinstance(element, Tag) and (text := _text(element))
        for offer in html_images.offers(element, page.base)
    }


def _text(element: Tag) -> str:
    """What an element says of its picture: its alt, title and label, or those of the image in it, and its caption."""
    holds = [element, *element.find_all("img", limit=1)]
    figure = element.find_parent("figure")
    caption = figure.find("figcaption") if isinstance(figure, Tag) else None
    said = [value(one, key) for one in holds for key in ("alt", "title", "aria-label") if isinstance(one, Tag)]
    said.append(" ".join(islice(caption.stripped_strings, _WORDS)) if isinstance(caption, Tag) else None)
    return " ".join(dict.fromkeys(text for text in said if text))[:LONGEST_TEXT]


def _says(seen: variants.Seen, key: str, pattern: str) -> bool:
    said: Iterable[str]
    if key == "src":
        said = [form for url in seen.offers for form in (url, unquote(url))]
    elif seen.element is None:
        said = [seen.text]
    else:
        said = [value(one, key) or "" for one in (seen.element, *seen.element.find_all("img", limit=1))]
    return any(matches(pattern, text) for text in said)
