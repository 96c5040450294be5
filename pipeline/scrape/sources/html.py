"""Any web site, by a site file: listing pages lead to item pages, an item page shows pictures in roles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from bs4 import Tag

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages, html_page, jsonld, licenses
from curate.pipeline.scrape.sources.candidate import Candidate, tidy
from curate.pipeline.scrape.sources.facts import Facts
from curate.pipeline.scrape.sources.html_page import HtmlPage, ShownPicture, same_page
from curate.pipeline.scrape.sources.site_file import SiteFile, read, value
from curate.pipeline.scrape.web import rsl
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.url import parts_of
from curate.pipeline.tables.folding import names_one

FACTS = Facts(
    terms="unknown",
    what="any site, read by a site file; Article/Human pairs by role",
    example="curate scrape --source html --site shop.yaml --query 水着 --allow-unknown-license",
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
    hosts = _hosts(site, starts)
    if site.delay is not None:
        for name in sorted({parts_of(f"//{host}").hostname or "" for host in hosts}):
            pages.space(name, site.delay)
    walk = _Walk(site, hosts, pages)
    for start in starts:
        yield from walk.listings(start)


def hosts_hint(query: Query, hosts: Iterable[str]) -> str:
    """What to write into the site file of `query`, so that pages and pictures on `hosts` are asked for, too."""
    site = read(Path(query.site or ""))
    own = site.allowed_hosts or sorted({parts_of(start.replace("{page}", "")).netloc for start in site.start})
    return f"allowed_hosts: [{', '.join(dict.fromkeys((*own, *hosts)))}]   in {query.site}, if you may ask there, too"


def _hosts(site: SiteFile, starts: Iterable[str]) -> frozenset[str]:
    """The hosts that may be asked: those of the site file, else those of its start pages, with and without www."""
    if site.allowed_hosts:
        return frozenset(site.allowed_hosts)
    own = {(parts_of(url.replace("{page}", "")).hostname or "").removeprefix("www.") for url in starts}
    return frozenset(own | {f"www.{name}" for name in own})


class _Walk:
    def __init__(self, site: SiteFile, hosts: frozenset[str], pages: Pages) -> None:
        self._site = site
        self._hosts = hosts
        self._pages = pages
        self._items: set[str] = set()
        self._licenses: dict[str, rsl.RslFile] = {}
        self._passed: set[str] = set()  # hosts of larger pictures than those that are taken

    def listings(self, start: str) -> Iterator[Candidate]:
        """Every item from the listing page `start` on that no earlier listing had.

        It ends at a page that shows nothing that this very listing has not shown before.
        """
        listing = self._site.listing
        visited: set[str] = set()
        listed: set[str] = set()
        url: str | None = start.replace("{page}", str(listing.page_start))
        for number in range(listing.page_start, listing.page_start + listing.max_pages):
            if url is None or url in visited:
                return
            visited.add(url)
            page = self._page(url)
            if page.nofollow:
                self._pages.note(f"{url}: its owner asks that no link on it is followed (robots: nofollow)")
                return
            found = self._site.listing_links.select(page.soup)
            if not found and number == listing.page_start:
                self._pages.note(f"{url}: no element matches {listing.item!r}; does a script draw the page?")
            before = len(listed)
            yield from self._items_of(page, found, listed)
            if len(listed) == before or len(self._items) >= listing.max_items:
                return
            url = self._following(page, start, number + 1)

    def _items_of(self, page: HtmlPage, found: list[Tag], listed: set[str]) -> Iterator[Candidate]:
        """What the elements of a listing lead to, or are; each once, however often it is listed."""
        for element in found:
            urls = _addresses(element, page, self._site.listing.attr)
            if not urls:
                if (said := html_page.unreadable(element, page, self._site.listing.attr)) and said not in self._items:
                    self._items.add(said)
                    yield Candidate(address=said, page_url=page.url, refused="bad_url")
                continue
            name = same_page(urls[0])
            listed.add(name)
            if name in self._items:
                continue
            if len(self._items) >= self._site.listing.max_items:
                return
            self._items.add(name)
            yield from self._item(urls[0]) if self._site.item.images else [self._picture(page, element, urls)]

    def _picture(self, page: HtmlPage, element: Tag, urls: tuple[str, ...]) -> Candidate:
        """A picture that a listing shows."""
        described = self._described(page)
        title = tidy(value(element, "alt") or value(element, "title") or value(element, None))
        excluded = names_one(title or "", self._site.item.exclude_text)
        inside = self._inside(urls)
        refused = page.refused or ("excluded" if excluded else None if inside else "other_host")
        described |= {"title": title or described["title"], "group_id": None}
        best = inside[0] if inside else urls[0]
        return Candidate(address=best, image_url=best, fallbacks=inside[1:], refused=refused, **described)

    def _inside(self, urls: tuple[str, ...]) -> tuple[str, ...]:
        """Those of `urls`, the best first, on the hosts that may be asked."""
        inside = tuple(url for url in urls if not self._outside(url))
        host = parts_of(urls[0]).netloc
        if inside and inside[0] != urls[0] and host not in self._passed:
            self._passed.add(host)
            self._pages.note(f"{self._site.name}: smaller pictures are taken, as {host} is not among allowed_hosts")
        return inside

    def _outside(self, url: str) -> bool:
        parts = parts_of(url)
        return not self._hosts & {parts.hostname or "", parts.netloc}

    def _following(self, page: HtmlPage, start: str, number: int) -> str | None:
        if self._site.listing.next is None:
            return start.replace("{page}", str(number)) if "{page}" in start else None
        return next(iter(page.links(page.soup.select(self._site.listing.next, limit=1), "href")), None)

    def _page(self, url: str) -> HtmlPage:
        page = HtmlPage(self._pages.page(url, allowed=self._hosts.__contains__), self._site)
        if page.refused is None and any(not self._licensed(address, page.url) for address in page.licenses):
            page.refused = "optout_signal"
        return page

    def _licensed(self, address: str, page_url: str) -> bool:
        """Whether the RSL licence at `address` grants training on the page; one that cannot be had does not."""
        if address not in self._licenses:
            try:
                self._licenses[address] = rsl.parse(self._pages.page(address).body)
            except FetchError:
                self._licenses[address] = rsl.UNREADABLE
        return self._licenses[address].grants(page_url) is True

    def _item(self, url: str) -> Iterator[Candidate]:
        try:
            page = self._page(url)
        except FetchError as error:
            page_url = error.final_url or url if error.reason == "other_host" else url  # where it was led to
            yield Candidate(address=url, page_url=page_url, refused=error.reason, extra={"what": "item page"})
            return
        rules = self._site.item
        common = self._described(page)
        said = "\n".join([common["title"] or "", page.heading, jsonld.words(page.data)])
        found = html_page.pictures(page, rules)
        missing = [role for role in rules.require if role not in {shown.role for shown in found}]
        refused = page.refused
        if refused is None and names_one(said, rules.exclude_text):
            refused = "excluded"
        if refused is None and missing:
            refused = "incomplete"
            common["extra"] = {**common["extra"], "missing": missing}
        for said in page.unreadable:
            yield Candidate(address=said, image_url=said, refused=refused or "bad_url", **common)
        if not found:
            yield Candidate(address=url, refused=refused or "incomplete", **common)
        for shown in found:
            yield self._shown(shown, common, refused)

    def _shown(self, shown: ShownPicture, common: Mapping[str, Any], refused: str | None) -> Candidate:
        """A picture that an item's page shows, with what all pictures of the item share."""
        own = dict(common)
        if shown.license_url:
            own |= {"license": licenses.code(shown.license_url), "license_url": shown.license_url}
        claims = {"claimed_width": shown.width, "alt": tidy(shown.text)}
        own["extra"] = {**own["extra"], **{key: said for key, said in claims.items() if said}}
        own["creator"] = tidy(shown.creator) or own["creator"]
        inside = self._inside(shown.offers)
        if refused is None and names_one(shown.text or "", self._site.item.exclude_text):
            refused = "excluded"
        best = inside[0] if inside else shown.url
        refused = refused or (None if inside else "other_host")
        return Candidate(
            address=best,
            image_url=best,
            fallbacks=inside[1:],
            role=shown.role,
            variant=tidy(shown.variant),
            refused=refused,
            **own,
        )

    def _described(self, page: HtmlPage) -> dict[str, Any]:
        """What all pictures of an item share."""
        rules, host = self._site.item, parts_of(page.url).hostname or ""
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


def _addresses(element: Tag, page: HtmlPage, attribute: str) -> tuple[str, ...]:
    """What an element of a listing leads to, or, if it is an image, where its picture is, the best first."""
    if element.name in html_page.IMAGES:
        return html_page.picture_of(element, page)
    return tuple(page.links([element], attribute)[:1])


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
