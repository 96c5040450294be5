"""Finding images. One file per source; this is the table of them.

A source is `search(query, web) -> Iterator[Candidate]`: it knows a site's addresses and how to read its answers, and
nothing of disk, sleeping or retrying. It yields lazily, in the site's order, so the caller stops by stopping; what it
asked before a crash is answered from storage afterwards, so it always starts at the beginning. A new source is one
file and one line in SOURCES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from pipeline.params import Query
from pipeline.registry import Registry
from pipeline.sources.candidate import Candidate
from pipeline.web.session import Response


class Pages(Protocol):
    """What a source is lent of the HTTP layer. Every call may raise pipeline.web.faults.FetchError."""

    def page(self, url: str, *, allowed: Callable[[str], bool] | None = None) -> Response:
        """An HTML page; `allowed` judges the host of every hop."""

    def answer(self, url: str) -> Response:
        """An answer of a documented interface."""

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host` that its operator asks for, or permits."""

    def note(self, text: str) -> None:
        """One line for the person watching."""


Search: TypeAlias = Callable[[Query, Pages], Iterator[Candidate]]

SOURCES = Registry(
    "source",
    {
        "openverse": "pipeline.sources.openverse:search",
        "html": "pipeline.sources.html:search",
        "urls": "pipeline.sources.urls:search",
        "folder": "pipeline.sources.folder:search",
    },
)

LOCAL = frozenset({"folder"})  # the user's own files: no network, and no question of a licence
HANDED = LOCAL | {"urls"}  # chosen by the user, picture by picture: that no licence is stated does not refuse them


def load(name: str) -> Search:
    """The source called `name`. Raises UsageError for an unknown one."""
    search: Search = SOURCES.resolve(name)
    return search
