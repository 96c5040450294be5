"""Any web site, by a site file: listing pages lead to item pages, an item page shows pictures in roles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, urldefrag, urlsplit

from bs4 import BeautifulSoup, Tag
from w3lib.url import canonicalize_url

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, html_images, jsonld, licenses
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts
from curate.pipeline.scrape.sources.site_file import FieldRule, Pictures, SiteFile, read, selector, value
from curate.pipeline.scrape.web import charset, optout
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.reply import Response

FACTS = Facts(
    terms="unknown",
    what="any site, read by a site file; Article/Human pairs by role",
    example="curate scrape --source html --site shop.yaml --query 水着 --allow-unknown-license "
    "--contact you@example.org",
    said="robots.txt, opt-outs and the site file's delay",
    keywords=False,
)


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """The pictures of every item that the site file's listings lead to.

    A page of items that cannot be had raises FetchError; an item's page that cannot be had is one refused candidate.
    """
    if query.site is None:
        raise UsageError("the html source needs a site file", "name one with: curate scrape --site FILE")
    site = read(Path(query.site))
    starts = [_started(site, template, query.query) for template in site.start]
    hosts = frozenset(site.allowed_hosts or (urlsplit(url.replace("{page}", "")).hostname or "" for url in starts))
    if site.delay is not None:
        for name in sorted({urlsplit(f"//{host}").hostname or "" for host in hosts}):
            pages.space(name, site.delay)
    walk = _Walk(site, hosts, pages)
    for start in starts:
        yield from walk.listings(start)


class _Page:
    """A parsed page and what its head says about it."""

    def __init__(self, response: Response, site: SiteFile) -> None:
        html, self.encoding = charset.decode(response.body, response.content_type, site.html_encoding)
        self.soup = BeautifulSoup(html, site.parser)
        self.url = response.final_url
        self.base = html_images.base_of(self.soup, self.url)
        metas = [(str(m.get("name") or ""), str(m.get("content") or "")) for m in self.soup.find_all("meta")]
        by_meta = optout.refused_by_meta(metas)
        self.refused = "optout_header" if response.optout else "optout_meta" if by_meta else None
        self.nofollow = optout.says_nofollow(metas)
        self.things = jsonld.things(self.soup)

    def links(self, found: list[Tag], attribute: str) -> list[str]:
        """The absolute addresses, without fragments, in an attribute of each element."""
        raw = [value(element, attribute) for element in found]
        return [urldefrag(url).url for text in raw if text and (url := html_images.absolute(text, self.base))]

    def fact(self, rule: FieldRule | None) -> str | None:
        """What `rule` finds on the page."""
        if rule is None:
            return None
        if rule.jsonld and (found := jsonld.text(self.things, rule.jsonld)):
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
        link = self.soup.select_one("link[rel~=canonical][href]")
        named = html_images.absolute(str(link["href"]), self.base) if link is not None else None
        same = named is not None and urlsplit(named).hostname == host
        return canonicalize_url(named if named is not None and same else self.url)


class _Walk:
    def __init__(self, site: SiteFile, hosts: frozenset[str], pages: Pages) -> None:
        self._site = site
        self._hosts = hosts
        self._pages = pages
        self._items: set[str] = set()

    def listings(self, start: str) -> Iterator[Candidate]:
        """Every item from the listing page `start` on."""
        listing = self._site.listing
        visited: set[str] = set()
        url: str | None = start.replace("{page}", str(listing.page_start))
        for number in range(listing.page_start, listing.page_start + listing.max_pages):
            if url is None or url in visited:
                return
            visited.add(url)
            page = _Page(self._pages.page(url, allowed=self._hosts.__contains__), self._site)
            if page.nofollow:
                return
            found = self._site.listing_links.select(page.soup)
            if not found and number == listing.page_start:
                self._pages.note(f"{url}: no element matches {listing.item!r}; does a script draw the page?")
            before = len(self._items)
            yield from self._items_of(page, found)
            if len(self._items) in {before, listing.max_items}:
                return
            url = self._following(page, start, number + 1)

    def _items_of(self, page: _Page, found: list[Tag]) -> Iterator[Candidate]:
        """What the elements of a listing lead to, or are; each once, however often it is listed."""
        for element in found:
            shown = not self._site.item.images
            url = _address(element, page, self._site.listing.attr)
            if url is None or canonicalize_url(url) in self._items:
                continue
            if len(self._items) >= self._site.listing.max_items:
                return
            self._items.add(canonicalize_url(url))
            yield from [self._picture(page, element, url)] if shown else self._item(url)

    def _picture(self, page: _Page, element: Tag, url: str) -> Candidate:
        """A picture that a listing shows."""
        described = self._described(page)
        title = tidy(value(element, "alt") or value(element, "title") or value(element, None))
        excluded = any(word in (title or "") for word in self._site.item.exclude_text)
        outside = self._outside(url)
        refused = page.refused or ("excluded" if excluded or outside else None)
        described |= {"title": title or described["title"], "group_id": None}
        return Candidate(address=url, image_url=url, refused=refused, **described)

    def _outside(self, url: str) -> bool:
        parts = urlsplit(url)
        return not self._hosts & {parts.hostname or "", parts.netloc}

    def _following(self, page: _Page, start: str, number: int) -> str | None:
        if self._site.listing.next is None:
            return start.replace("{page}", str(number)) if "{page}" in start else None
        return next(iter(page.links(page.soup.select(self._site.listing.next, limit=1), "href")), None)

    def _item(self, url: str) -> Iterator[Candidate]:
        try:
            page = _Page(self._pages.page(url, allowed=self._hosts.__contains__), self._site)
        except FetchError as error:
            yield Candidate(address=url, page_url=url, refused=error.reason, extra={"what": "item page"})
            return
        rules = self._site.item
        common = self._described(page)
        title = common["title"] or ""
        found = [shown for pictures in rules.images for shown in _shown(page, pictures)]
        missing = [role for role in rules.require if role not in {shown.role for shown in found}]
        refused = page.refused
        if refused is None and any(word in title for word in rules.exclude_text):
            refused = "excluded"
        if refused is None and missing:
            refused = "incomplete"
            common["extra"] = {**common["extra"], "missing": missing}
        if not found:
            yield Candidate(address=url, refused=refused or "incomplete", **common)
        seen: set[str] = set()
        for shown in found:
            if shown.url in seen:
                continue
            seen.add(shown.url)
            own = dict(common)
            if shown.license_url:
                own |= {"license": licenses.code(shown.license_url), "license_url": shown.license_url}
            claims = {"claimed_width": shown.width, "alt": shown.alt}
            own["extra"] = {**own["extra"], **{key: said for key, said in claims.items() if said}}
            own["creator"] = tidy(shown.creator) or own["creator"]
            outside = "excluded" if self._outside(shown.url) else None
            yield Candidate(address=shown.url, image_url=shown.url, role=shown.role, refused=refused or outside, **own)

    def _described(self, page: _Page) -> dict[str, Any]:
        """What all pictures of an item share."""
        rules, host = self._site.item, urlsplit(page.url).hostname or ""
        stated = page.fact(rules.license)
        extra: Mapping[str, Any] = {
            "site": self._site.name,
            "source_id": page.fact(rules.id),
            "license_raw": tidy(stated),
            "terms_checked": self._site.terms_checked,
        }
        return {
            "page_url": page.url,
            "title": tidy(page.fact(rules.title)),
            "creator": tidy(page.fact(rules.creator)),
            "license": licenses.code(stated),
            "license_url": stated if stated and stated.startswith(("http:", "https:")) else None,
            "group_id": hashlib.sha1(page.identity(host).encode(), usedforsecurity=False).hexdigest(),
            "extra": {key: fact for key, fact in extra.items() if fact is not None},
        }


def _address(element: Tag, page: _Page, attribute: str) -> str | None:
    """What an element of a listing leads to, or, if it is an image, where its picture is."""
    if element.name in {"img", "source"}:
        return html_images.picture_url(element, page.base)[0]
    return next(iter(page.links([element], attribute)), None)


class _Shown(NamedTuple):
    role: str | None
    url: str
    creator: str | None = None
    license_url: str | None = None
    width: int | None = None  # px, as a srcset claims
    alt: str | None = None  # what the page says of it


def _shown(page: _Page, rule: Pictures) -> list[_Shown]:
    """The pictures that `rule` picks."""
    found: list[_Shown] = []
    for element in page.soup.select(rule.css) if rule.css else ():
        url, width = html_images.picture_url(element, page.base)
        if url and all(_says(element, url, key, pattern) for key, pattern in rule.where.items()):
            found.append(_Shown(rule.role, url, width=width))
    if rule.jsonld and not found:
        for picture in jsonld.pictures(page.things, rule.jsonld):
            url = html_images.absolute(picture.url, page.base)
            if url and not html_images.is_placeholder(url):
                found.append(_Shown(rule.role, url, picture.creator, picture.license))
    return list(dict.fromkeys(found))[: 1 if rule.pick == "first" else rule.max]


def _says(element: Tag, url: str, key: str, pattern: str) -> bool:
    said = url if key == "src" else value(element, key) or ""
    return re.search(pattern, said) is not None


def _started(site: SiteFile, template: str, query: str | None) -> str:
    """`template` with {query} filled in, in the encoding that the site expects; {page} stays."""
    if "{query}" not in template:
        return template
    if query is None:
        raise UsageError(f"{site.name}: its start pages hold {{query}}", "say what to look for: --query TEXT")
    try:
        sent = query.encode(site.query_encoding)
    except UnicodeEncodeError:
        raise UsageError(f"{site.name}: {query!r} cannot be written in {site.query_encoding}") from None
    path, mark, rest = template.partition("?")
    return path.replace("{query}", quote(sent, safe="/")) + mark + rest.replace("{query}", quote_plus(sent))
