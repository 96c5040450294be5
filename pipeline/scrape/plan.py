"""Which searches a run goes through: those that are still open, those that were finished, and those to be reopened.

A search is named twice by a digest: whatever its settings are, and with everything that its result depends on.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
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
from curate.pipeline.scrape.sources import LOCAL, PAGED, facts
from curate.pipeline.scrape.web import contact

# The settings that a search's result depends on, beside its own.
_DECISIVE = frozenset(
    "want limit allow_unknown_license licenses min_side max_bytes max_pixels animated allow_data_urls demo".split()
)


class SearchPlan(NamedTuple):
    """One search to go through."""

    search: str  # names it whatever the settings
    key: str  # names it with everything that its result depends on
    query: Query  # with absolute paths
    want: int | None
    finished: bool  # its candidates are all in the journal


def plan_all(section: Scrape, store: RawStore, journal: Journal) -> list[SearchPlan]:
    """Every search of the journal in the order in which they were first begun, then the new ones.

    Searches that are not asked for now keep their rows, if they came to their end. Raises UsageError as `plan_search`.
    """
    asked = {plan.search: plan for plan in (plan_search(query, section, store, journal) for query in section.queries)}
    plans: list[SearchPlan] = []
    for known in journal.searches():
        if known.search in asked:
            plans.append(asked.pop(known.search))
        elif journal.count(known.key) is not None:
            plans.append(SearchPlan(known.search, known.key, known.query, None, finished=True))
    return [*plans, *asked.values()]


def plan_search(query: Query, section: Scrape, store: RawStore, journal: Journal) -> SearchPlan:
    """The plan of one search. Raises UsageError for an unknown or refused source, and for one that is off."""
    known = facts(query.source)  # a typo is an error before anything is done
    if known.terms == "refused":
        raise UsageError(known.what, f"instead: {known.example}")
    if known.gated and not section.allow_scrape_source:
        raise UsageError(
            f"{query.source}: its terms forbid programs, so it is off",
            "if you may use it all the same: --allow-scrape-source",
        )
    paths = {name: str(store.root / path) for name in ("site", "input") if (path := getattr(query, name))}
    rules = {name: value for name, value in as_dict(section).items() if name in _DECISIVE}
    rules["said"] = [query_words(section, query), section.sources.get(query.source)]
    search = _settings_digest({**as_dict(query), "want": None})
    key = _settings_digest([as_dict(query), rules, [_file_digest(Path(path)) for path in paths.values()]])
    finished = query.source not in LOCAL and journal.count(key) is not None
    return SearchPlan(search, key, msgspec.structs.replace(query, **paths), query.want or section.want, finished)


def reopen_if_due(plan: SearchPlan, journal: Journal, revisit: Revisit) -> SearchPlan:
    """`plan`, to be gone through anew if pages of it failed that are to be tried once more, or may have changed."""
    refresh = revisit.refresh and plan.query.source in PAGED
    failed = (candidate.refused in revisit.retry for candidate in journal.candidates(plan.key))
    if not plan.finished or not (refresh or (revisit.retry and any(failed))):
        return plan
    journal.reopen(Begin(plan.search, plan.key, plan.query, refresh))
    return plan._replace(finished=False)


def demanding(section: Scrape) -> list[str]:
    """The sources of its searches that answer nobody who gives no contact. Raises UsageError for an unknown source."""
    names = dict.fromkeys(query.source for query in section.queries if query.base_url is None)
    return [name for name in names if contact.demanded(urlsplit(facts(name).base).hostname or "")]


def query_words(section: Scrape, query: Query) -> dict[str, str]:
    """What `query` is called elsewhere (scrape.map): the text for each source, found however its kana are spelled."""
    known = {unicodedata.normalize("NFKC", text): words for text, words in section.map.items()}
    return dict(known.get(unicodedata.normalize("NFKC", query.query or ""), {}))


def _file_digest(path: Path) -> str | None:
    """The sha256 of a site file or a list; None if there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settings_digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]
