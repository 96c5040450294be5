"""The sections scrape and scrape.queries: where images are looked for, what is taken, and how politely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from curate.pipeline.core.config import Positive, Seconds, Section
from curate.pipeline.demo.config import Demo


class Query(Section, frozen=True, kw_only=True):
    """One search: where to look, for what, and which domain its images belong to."""

    source: str = "openverse"  # where to look; all of them: curate sources
    query: str | None = None  # as a person typed it, in any script
    domain: str | None = None  # None: the query, or the folder's or list's name
    site: str | None = None  # source html: its site file
    input: str | None = None  # sources urls and folder: the list or the folder
    base_url: str | None = None  # another host that answers like the source's own
    every: Annotated[float, Meta(gt=0.0)] | None = None  # source video: s between frames; None: at scene changes
    want: Positive | None = None  # None: the section's


class Scrape(Section, frozen=True, kw_only=True):
    """Finding and downloading images."""

    contact: str | None = None  # your mail or URL, shown to the sites; null: that of ~/.config/curate/contact, or none
    queries: tuple[Query, ...] = ()  # the searches; several may feed one domain
    want: Positive | None = None  # accepted images per query; None: all there are
    limit: Positive | None = None  # candidates per query; None: all there are
    allow_unknown_license: bool = False  # what a source found needs this without a stated licence; own lists do not
    licenses: tuple[str, ...] = ("cc0", "pdm", "public-domain", "by", "by-sa")  # that are taken
    allow_scrape_source: bool = False  # search engines, whose terms forbid it, need this
    map: Mapping[str, Mapping[str, str]] = {}  # what a query is called elsewhere: {ロングヘア: {danbooru: long_hair}}
    sources: Mapping[str, Mapping[str, Any]] = {}  # limits of a source, where its own have changed
    animated: Literal["reject", "first"] = "reject"  # what becomes of an animation: nothing, or its first frame
    allow_data_urls: bool = False  # pictures that stand in a list themselves (data:...;base64), up to a MiB each
    min_side: Positive = 256  # px, the shorter side of an accepted image
    max_bytes: Positive = 30 * 1024 * 1024  # per image, decoded
    max_pixels: Positive = 64_000_000  # per image, read from its header before decoding
    delay: Seconds = 1.0  # s, between two requests to one host
    per_host: Positive = 2  # connections to one image host
    workers: Positive = 8  # connections in all
    connect_timeout: Seconds = 10.0  # s, for opening a connection
    read_timeout: Seconds = 20.0  # s, the longest silence within a response
    deadline: Seconds = 120.0  # s, for one whole response
    tries: Positive = 4  # of one request
    demo: Demo | None = None  # serve the drawn world on loopback while this stage runs
