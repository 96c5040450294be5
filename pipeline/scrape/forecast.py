"""How long a scrape will take and how much can come of it: by what is known of each source, then by what is seen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from curate.pipeline.scrape.admission import domain_of
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.sources import facts
from curate.pipeline.scrape.sources.api import limits
from curate.pipeline.scrape.sources.facts import Limits

ACCEPTED = 0.5  # share of the candidates that is accepted, for lack of a better guess
WORTH_SAYING = 60.0  # s
FIRST = 20  # decided candidates before anything is said; then at every doubling


class _Search(NamedTuple):
    """One search of an API, before it begins."""

    query: Query
    want: int | None
    limits: Limits
    reach: int | None  # candidates that it can show; None: no end is known

    @property
    def candidates(self) -> int | None:
        """How many will be looked at, about."""
        needed = None if self.want is None else math.ceil(self.want / ACCEPTED)
        return min((n for n in (self.reach, needed) if n is not None), default=None)


def reach(source: str, section: Scrape) -> int | None:
    """The most candidates that one query of `source` can show, with the user's key and settings; None: no end is known.

    Raises UsageError for settings that are none, and AuthError for a key that cannot be used.
    """
    known = facts(source)
    if not known.base:
        return section.limit
    found = limits(source, known, section.sources.get(source, {}))
    return min((n for n in (found.depth, found.per_run, section.limit) if n is not None), default=None)


def announced(section: Scrape, queries: Iterable[Query]) -> Iterator[str]:
    """What can be said before the searches of APIs among `queries` begin: how much they reach, how long it takes."""
    by_source: dict[str, list[_Search]] = {}
    for query in queries:
        source = query.source
        if facts(source).base:
            own = limits(source, facts(source), section.sources.get(source, {}))
            one = _Search(query, query.want or section.want, own, reach(source, section))
            by_source.setdefault(source, []).append(one)
    for source, searches in by_source.items():
        for one in searches:
            if one.want is not None and one.reach is not None and one.want > one.reach:
                yield (
                    f"{domain_of(one.query)}: {one.want} are wanted, but {source} shows {one.reach} of a query at "
                    "most: more queries, or another source, give more"
                )
        if line := _duration(source, searches, section):
            yield line


def _duration(source: str, searches: list[_Search], section: Scrape) -> str | None:
    """How long the searches of one source take, if that is known and worth a line."""
    numbers = [one.candidates for one in searches if one.candidates is not None]
    if not numbers:
        return None
    own = searches[0].limits
    pages = sum(math.ceil(n / own.page_size) for n in numbers)
    # Most pictures of a source lie on one host or few.
    seconds = max(pages * own.delay, sum(numbers) * section.delay)
    days = math.ceil(pages / own.daily) if own.daily else 1
    if seconds < WORTH_SAYING and days == 1:
        return None
    allowance = f" of {own.daily} a day" if own.daily else ""
    many = f"{len(numbers)} searches" if len(numbers) > 1 else "1 search"
    asked = f"{source}: {many}, {sum(numbers):,} candidates or fewer, {pages} requests{allowance}"
    later = f", over {days} days: the same command goes on each day" if days > 1 else ""
    return f"{asked}: up to {spoken(seconds)}{later}"


def spoken(seconds: float) -> str:
    """A duration for a person: minutes up to an hour and a half, then hours."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes <= 90 else f"{seconds / 3600:.1f} hours"


class Forecast:
    """Counts one search's decisions towards `want` accepted images; `reach`: the candidates that there can be."""

    def __init__(self, want: int | None, reach: int | None = None) -> None:
        self._want = want
        self._reach = reach
        self._next = FIRST
        self._began = time.monotonic()

    def decided(self, accepted: int, total: int) -> str | None:
        """A line for the person watching, when it is time for one."""
        if self._want is None or total < self._next or accepted >= self._want:
            return None
        self._next = 2 * total
        left = None if self._reach is None else max(0, self._reach - total)
        if not accepted:
            return f"none of {total} candidates accepted so far" + ("" if left is None else f", {left} more can come")
        more = math.ceil((self._want - accepted) * total / accepted)
        end = "" if left is None or more <= left else f", and then no more: about {self._final(accepted, total)} in all"
        more = more if left is None else min(more, left)
        lasting = spoken((time.monotonic() - self._began) / total * more)
        share = 100 * accepted / total
        return f"{accepted} of {total} candidates accepted ({share:.0f} %): about {more} more, {lasting}{end}"

    def _final(self, accepted: int, total: int) -> int:
        return round((self._reach or 0) * accepted / total)
