"""Which searches a run goes through: those that are still open, those that were finished, and those to be reopened.

A search is named twice by a digest: whatever its settings are, and with everything that its result depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.journal import Begin, Journal
from curate.pipeline.scrape.raw_store import RawStore
from curate.pipeline.scrape.revisit import Revisit
from curate.pipeline.scrape.sources import HANDED, LOCAL, PAGED, SOURCES, facts, local_paths
from curate.pipeline.scrape.web import contact

# The settings that a search's result depends on, beside its own.
_DECISIVE = frozenset(
    "want limit allow_unknown_license licenses min_side max_bytes max_pixels animated allow_data_urls demo".split()
)

_PATHS = ("site", "input")
_WITHOUT_WORDS = "its pictures are taken as they are; what they belong to is said by: --domain NAME"
_IDLE = {  # what a source does not read: key, sources that do, what to do instead
    "site": ({"html"}, "a site file is read by: --source html"),
    "input": (HANDED, "files and lists are read by: --source folder, urls or video"),
    "every": ({"video"}, "frames are taken by: --source video"),
    "query": (SOURCES.keys() - HANDED, _WITHOUT_WORDS),
    "base_url": (SOURCES.keys() - HANDED - PAGED, "it is for sources that are asked by an interface"),
}


class SearchPlan(NamedTuple):
    """One search to go through."""

    search: str  # names it whatever the settings
    key: str  # names it with everything that its result depends on
    query: Query  # with absolute paths
    noted: Query  # the same for the journal, with paths as `portable` writes them
    want: int | None
    finished: bool  # its candidates are all in the journal
    asked: bool = True  # now, rather than in an earlier run

    @property
    def begin(self) -> Begin:
        """The journal's line for it."""
        return Begin(self.search, self.key, self.noted)

    @property
    def lost(self) -> bool:
        """Whether it was of files that stood in a place that is no more."""
        return self.query.source in LOCAL and not Path(self.query.input or "").exists()


def plan_all(section: Scrape, store: RawStore, journal: Journal) -> list[SearchPlan]:
    """Every search of the journal in the order in which they were first begun, then the new ones of `section`.

    Searches that are not asked for now keep their rows, if they came to their end; those of files whose place is gone
    come last, so that where it was only moved the files that are there count. Raises UsageError as `plan_search`.
    """
    asked = {plan.search: plan for plan in (plan_search(query, section, store, journal) for query in section.queries)}
    left = dict(asked)
    plans: list[SearchPlan] = []
    for known in journal.searches():
        noted = _portably(_located(known.query), store.root)
        names = {known.search, _search_name(noted)}  # older journals have paths as they were typed
        if found := names & asked.keys():
            plans += [left.pop(name) for name in found if name in left]
        elif journal.count(known.key) is not None:
            query = _absolutely(noted, store.root)
            plans.append(SearchPlan(known.search, known.key, query, noted, None, finished=True, asked=False))
    plans += left.values()
    return sorted(plans, key=lambda plan: plan.finished and plan.lost)


def plan_search(query: Query, section: Scrape, store: RawStore, journal: Journal) -> SearchPlan:
    """The plan of one search with portable paths. Raises UsageError for a source that is unknown, refused or off."""
    known = facts(query.source)  # a typo is an error before anything is done
    if known.terms == "refused":
        raise UsageError(known.what, f"instead: {known.example}")
    if known.gated and not section.allow_scrape_source:
        raise UsageError(
            f"{query.source}: its terms forbid programs, so it is off",
            "if you may use it all the same: --allow-scrape-source",
        )
    for name, (readers, instead) in _IDLE.items():
        if getattr(query, name) is not None and query.source not in readers:
            raise UsageError(f"{query.source}: {name} has no effect on it", f"leave it out; {instead}")
    absolute = _absolutely(query, store.root)
    rules = {name: value for name, value in as_dict(section).items() if name in _DECISIVE}
    rules["said"] = [query_words(section, query), section.sources.get(query.source)]
    # Of one's own files every one is looked at anew, so that nothing need be known of them here.
    files = [] if query.source in LOCAL else [absolute.site, absolute.input]
    key = _settings_digest([as_dict(query), rules, [_file_digest(Path(path)) for path in files if path]])
    finished = query.source not in LOCAL and journal.count(key) is not None
    return SearchPlan(_search_name(query), key, absolute, query, query.want or section.want, finished)


def reopen_if_due(plan: SearchPlan, journal: Journal, revisit: Revisit) -> SearchPlan:
    """`plan`, to be gone through anew if pages of it failed that are to be tried once more, or may have changed."""
    refresh = revisit.refresh and plan.query.source in PAGED
    failed = (candidate.refused in revisit.retry for candidate in journal.candidates(plan.key))
    if not plan.finished or not (refresh or (revisit.retry and any(failed))):
        return plan
    journal.reopen(msgspec.structs.replace(plan.begin, refresh=refresh))
    return plan._replace(finished=False)


def demanding(section: Scrape) -> list[str]:
    """The sources of its searches that answer nobody who gives no contact. Raises UsageError for an unknown source."""
    names = dict.fromkeys(query.source for query in section.queries if query.base_url is None)
    return [name for name in names if contact.demanded(urlsplit(facts(name).base).hostname or "")]


def query_words(section: Scrape, query: Query) -> dict[str, str]:
    """What `query` is called elsewhere (scrape.map): the text for each source, found however its kana are spelled."""
    known = {unicodedata.normalize("NFKC", text): words for text, words in section.map.items()}
    return dict(known.get(unicodedata.normalize("NFKC", query.query or ""), {}))


def portable(path: str, root: Path) -> str:
    """One name for one place, however it was typed: below `root` relative to it, elsewhere absolute, links resolved."""
    real, top = Path(os.path.realpath(root / path)), Path(os.path.realpath(root))
    return local_paths.spelled((real.relative_to(top) if real.is_relative_to(top) else real).as_posix())


def with_portable_paths(section: Scrape, root: Path) -> Scrape:
    """`section` with the paths of its searches as `portable` writes them."""
    return msgspec.structs.replace(section, queries=tuple(_portably(query, root) for query in section.queries))


def _portably(query: Query, root: Path) -> Query:
    return _with_paths(query, lambda path: portable(path, root))


def _located(noted: Query) -> Query:
    return _with_paths(noted, lambda path: str(local_paths.located(path)))


def _absolutely(noted: Query, root: Path) -> Query:
    return _with_paths(_located(noted), lambda path: os.path.abspath(root / path))  # noqa: PTH100


def _with_paths(query: Query, change: Callable[[str], str]) -> Query:
    return msgspec.structs.replace(query, **{name: change(path) for name in _PATHS if (path := getattr(query, name))})


def _search_name(noted: Query) -> str:
    return _settings_digest({**as_dict(noted), "want": None})


def _file_digest(path: Path) -> str | None:
    """The sha256 of a site file or a list; None if there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settings_digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
