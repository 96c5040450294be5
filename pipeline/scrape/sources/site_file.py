"""The site file of the html source: which elements of a site's pages are its items, their facts and their pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import soupsieve
import yaml
from bs4 import Tag
from bs4.builder import builder_registry
from msgspec import Meta

from curate.pipeline.core.config import Positive, Seconds, Section, parse
from curate.pipeline.core.documents import DocumentError, from_yaml
from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.sources.candidate import LONGEST_TEXT
from curate.pipeline.scrape.web import charset, url
from curate.pipeline.scrape.web.fetch_errors import FetchError


class FieldRule(Section, frozen=True, kw_only=True):
    """Where one fact of an item stands; the first that gives something wins: jsonld, css, regex, default."""

    jsonld: str | None = None  # a key of the page's structured data
    css: str | None = None  # a selector, with @attribute for an attribute instead of the text
    regex: str | None = None  # on the item's URL; its first group
    default: str | None = None


class Pictures(Section, frozen=True, kw_only=True):
    """Which pictures of an item play one role."""

    role: str | None = None
    css: str | None = None
    jsonld: str | None = None  # a key of the structured data that holds addresses
    # attribute: regex; all must be found, in any width and case
    where: Mapping[Literal["alt", "src", "title", "class"], str] = {}
    pick: Literal["first", "all"] = "all"  # of each variant
    max: Positive = 200  # the same


class Listing(Section, frozen=True, kw_only=True):
    """The pages that lead to items."""

    item: str  # a selector of the links to items; where item.images is empty, of the pictures themselves
    attr: str = "href"
    next: str | None = None  # a selector of the link to the next page; None: {page} counts up
    page_start: int = 1
    max_pages: Positive = 20
    max_items: Positive = 2000


class ItemRules(Section, frozen=True, kw_only=True):
    """One product, or one picture's own page."""

    id: FieldRule | None = None
    title: FieldRule = FieldRule(jsonld="name", css="h1")
    creator: FieldRule = FieldRule(jsonld="creator")
    license: FieldRule = FieldRule(css="a[rel=license]@href")
    variant: FieldRule | None = None  # which colour a picture shows: css at, around or beside it, regex on its address
    images: tuple[Pictures, ...] = ()  # none: the listing pages show the pictures
    exclude_text: tuple[str, ...] = ()  # words that exclude an item, or a picture by its alt; in any width and case
    require: tuple[str, ...] = ()  # roles without which an item is incomplete


class SiteFile(Section, frozen=True, kw_only=True, dict=True):
    """A site: where to start, whom to ask, what to read."""

    name: str
    start: Annotated[tuple[str, ...], Meta(min_length=1)]  # with {query} and {page}
    allowed_hosts: tuple[str, ...] = ()  # HOST or HOST:PORT of pages and images; empty: those of `start`
    query_encoding: str = "utf-8"
    html_encoding: str | None = None  # overrides what the pages declare
    parser: Literal["lxml", "html5lib", "html.parser"] = "lxml"
    delay: Seconds | None = None  # between two requests to its hosts; None: as for every site
    terms_checked: str | None = None  # the day on which somebody read the site's terms
    listing: Listing
    item: ItemRules = ItemRules()

    @cached_property
    def listing_links(self) -> soupsieve.SoupSieve:
        """The compiled listing.item."""
        return soupsieve.compile(self.listing.item)


def read(path: Path) -> SiteFile:
    """The site file at `path`. Raises UsageError that names the file, the line and the key."""
    try:
        text = path.read_text("utf-8")
        raw = from_yaml(text)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such site file", "name one with: curate scrape --site FILE") from None
    except DocumentError as error:
        line = f":{error.line}" if error.line else ""
        raise UsageError(f"{path}{line}: not valid YAML: {error}", "mend the file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", "mend the file or its rights") from None
    try:
        site = msgspec.convert(_texts(raw), SiteFile)
    except msgspec.ValidationError as error:
        return parse(SiteFile, _texts(raw), "site", Path(f"{path}:{_line(text, str(error))}"))
    _compile(site, path, text)
    return site


def selector(css: str) -> tuple[str, str | None]:
    """`css` without its @attribute, and the attribute."""
    bare, at, attribute = css.rpartition("@")
    return (bare, attribute) if at and re.fullmatch(r"[\w:-]+", attribute) else (css, None)


def value(found: Tag, attribute: str | None) -> str | None:
    """The text of an element, or one of its attributes, stripped, LONGEST_TEXT at most; None if there is nothing."""
    raw: Any = found.get(attribute) if attribute else found.get_text(" ", strip=True)
    return (" ".join(raw) if isinstance(raw, list) else str(raw or "")).strip()[:LONGEST_TEXT] or None


def _texts(raw: Any) -> Any:
    """Dates, which YAML makes of terms_checked, as the text that they were."""
    if isinstance(raw, dict) and hasattr(raw.get("terms_checked"), "isoformat"):
        return {**raw, "terms_checked": raw["terms_checked"].isoformat()}
    return raw


def _compile(site: SiteFile, path: Path, text: str) -> None:
    """Proves every selector, pattern and encoding, so that a mistake shows before anything is fetched."""
    for key, check in _checks(site):
        try:
            check()
        except (soupsieve.SelectorSyntaxError, re.error, LookupError, ValueError, FetchError) as error:
            where = f"{path}:{_line(text, f'at `$.{key}')}"
            detail = (error.detail if isinstance(error, FetchError) else str(error)).splitlines()[0]
            raise UsageError(f"{where}: site.{key}: {detail}", f"mend site.{key} and try again") from None


def _checks(site: SiteFile) -> Iterator[tuple[str, Callable[[], object]]]:
    for n, start in enumerate(site.start):
        yield f"start[{n}]", partial(url.parse, start.replace("{query}", "q").replace("{page}", "1"))
    for n, host in enumerate(site.allowed_hosts):
        yield f"allowed_hosts[{n}]", partial(_known_host, host)
    yield "listing.item", partial(soupsieve.compile, site.listing.item)
    yield "listing.next", partial(soupsieve.compile, site.listing.next or "*")
    for name in ("id", "title", "creator", "license", "variant"):
        rule: FieldRule = getattr(site.item, name) or FieldRule()
        yield f"item.{name}.css", partial(soupsieve.compile, selector(rule.css or "*")[0])
        yield f"item.{name}.regex", partial(re.compile, rule.regex or "")
    for n, pictures in enumerate(site.item.images):
        yield f"item.images[{n}].css", partial(soupsieve.compile, pictures.css or "*")
        for attribute, pattern in pictures.where.items():
            yield f"item.images[{n}].where.{attribute}", partial(re.compile, pattern)
    yield "parser", partial(_installed, site.parser)
    yield "query_encoding", partial(_known_encoding, site.query_encoding)
    yield "html_encoding", partial(_known_encoding, site.html_encoding or "utf-8")
    yield "item.require", partial(_has_roles, site.item)


def _known_host(name: str) -> None:
    if set(name) & set("/@?#\\"):
        raise ValueError(f"no host, or host and port: {name}")
    url.parse(f"http://{name}/")


def _installed(parser: str) -> None:
    if parser not in builder_registry.builders_for_feature:
        raise LookupError(f"{parser} is not installed")


def _known_encoding(name: str) -> None:
    if charset.codec(name) is None:
        raise LookupError(f"unknown encoding: {name}")


def _has_roles(item: ItemRules) -> None:
    if missing := set(item.require) - {pictures.role for pictures in item.images}:
        raise ValueError(f"no picture has the role {', '.join(sorted(missing))}")


def _line(text: str, message: str) -> int:
    """The line of the key that a msgspec message is about, as near as the file has it."""
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", message.partition("at `$")[2])
    if unknown := re.search(r"unknown field `(.+?)`", message):
        steps.append((unknown.group(1), ""))
    node: Any = yaml.compose(text)
    line = 0
    for name, index in steps:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == name), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line
    return line + 1
