"""Finding images. One file per source; this is the table of them.

A source is `search(query, web) -> Iterator[Candidate]`: it knows a site's addresses and how to read its answers, and
nothing of disk, sleeping or retrying. It yields lazily, in the site's order, so the caller stops by stopping; what it
asked before a crash is answered from storage afterwards, so it always starts at the beginning. A new source is one
file and one line in SOURCES.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from pipeline.params import Query
from pipeline.registry import Registry
from pipeline.sources.candidate import Candidate
from pipeline.sources.facts import Facts
from pipeline.web.asking import PLAIN, Asking
from pipeline.web.session import Response


class Pages(Protocol):
    """What a source is lent of the HTTP layer. Every call may raise pipeline.web.faults.FetchError."""

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        """An HTML page; `allowed` judges the host of every hop."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the user set for this source: its Limits, where they differ."""

    @property
    def words(self) -> Mapping[str, str]:
        """What the user calls the query elsewhere, by source."""

    def answer(self, url: str, asking: Asking = PLAIN, daily: int | None = None) -> Response:
        """An answer of a documented interface; `daily`: the most that may be asked for in a day."""

    def key(self, source: str) -> str | None:
        """The user's key for `source`. Raises AuthError for one that cannot be used."""

    def odd(self, source: str, url: str, body: bytes) -> str:
        """Puts an answer aside that makes no sense, and says where."""

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host` that its operator asks for, or permits."""

    def note(self, text: str) -> None:
        """One line for the person watching."""


Search: TypeAlias = Callable[[Query, Pages], Iterator[Candidate]]

SOURCES = Registry(
    "source",
    {
        "openverse": "pipeline.sources.openverse:search",
        "commons": "pipeline.sources.commons:search",
        "flickr": "pipeline.sources.flickr:search",
        "pixabay": "pipeline.sources.pixabay:search",
        "pexels": "pipeline.sources.pexels:search",
        "safebooru": "pipeline.sources.safebooru:search",
        "danbooru": "pipeline.sources.danbooru:search",
        "bing": "pipeline.sources.bing:search",
        "unsplash": "pipeline.sources.unsplash:search",
        "html": "pipeline.sources.html:search",
        "urls": "pipeline.sources.urls:search",
        "folder": "pipeline.sources.folder:search",
        "video": "pipeline.sources.video:search",
    },
)

LOCAL = frozenset({"folder", "video"})  # the user's own files: no network, and no question of a licence
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
