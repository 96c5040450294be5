"""Finding images. One file per source; this is the table of them.

A source is `search(query, pages) -> Iterator[Candidate]`: it knows a site's addresses and how to read its answers, and
nothing of disk, sleeping or retrying. It yields lazily, in the site's order, so the caller stops by stopping; what it
asked before a crash is answered from storage afterwards, so it always starts at the beginning. A new source is one
file and one line in SOURCES.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from curate.pipeline.core.registry import Registry
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.sources.facts import Facts
from curate.pipeline.scrape.web.reply import Response
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions


class Pages(Protocol):
    """What a source is lent of the HTTP layer. Every call may raise web.fetch_errors.FetchError."""

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        """An HTML page; `allowed` judges the host of every hop."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the user set for this source: its Limits, where they differ."""

    @property
    def words(self) -> Mapping[str, str]:
        """What the user calls the query elsewhere, by source."""

    def answer(self, url: str, options: RequestOptions = PLAIN, daily: int | None = None) -> Response:
        """An answer of an API; `daily`: the most that may be asked for in a day."""

    def key(self, source: str) -> str | None:
        """The user's key for `source`. Raises AuthError for one that cannot be used."""

    def set_aside(self, source: str, url: str, body: bytes) -> str:
        """Puts an answer aside that makes no sense, and says where."""

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host` that its operator asks for, or permits."""

    def note(self, text: str) -> None:
        """One line for the person watching."""


Search: TypeAlias = Callable[[Query, Pages], Iterator[Candidate]]

SOURCES = Registry(
    "source",
    {
        "openverse": "curate.pipeline.scrape.sources.openverse:search",
        "commons": "curate.pipeline.scrape.sources.commons:search",
        "flickr": "curate.pipeline.scrape.sources.flickr:search",
        "pixabay": "curate.pipeline.scrape.sources.pixabay:search",
        "pexels": "curate.pipeline.scrape.sources.pexels:search",
        "safebooru": "curate.pipeline.scrape.sources.safebooru:search",
        "danbooru": "curate.pipeline.scrape.sources.danbooru:search",
        "bing": "curate.pipeline.scrape.sources.bing:search",
        "unsplash": "curate.pipeline.scrape.sources.unsplash:search",
        "html": "curate.pipeline.scrape.sources.html:search",
        "urls": "curate.pipeline.scrape.sources.urls:search",
        "folder": "curate.pipeline.scrape.sources.folder:search",
        "video": "curate.pipeline.scrape.sources.video:search",
    },
)

LOCAL = frozenset({"folder", "video"})  # the user's own files: no network, and read anew in every run
PAGED = frozenset({"html"})  # lists that stand on pages for people, which may be asked whether they have changed
HANDED = LOCAL | {"urls"}  # chosen by the user, picture by picture: that no licence is stated does not refuse them


def load(name: str) -> Search:
    """The source called `name`. Raises UsageError for an unknown one."""
    search: Search = SOURCES.resolve(name)
    return search


def facts(name: str) -> Facts:
    """What is known about the source called `name`. Raises UsageError for an unknown one."""
    module, _, _ = SOURCES[name].partition(":")
    known: Facts = importlib.import_module(module).FACTS
    return known
