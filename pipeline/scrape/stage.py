"""Finding images and downloading them: one row in manifests/images.parquet for each candidate that was seen.

Candidates are fetched many at once and decided one by one, in the order of their discovery. What was fetched before,
in this run or in one that was killed, is taken from the journal; a search that has come to its end asks nobody.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import AuthError, QuotaError, UsageError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.scrape.admission import Admission, domain_of
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.data_urls import unpacked
from curate.pipeline.scrape.downloader import Downloader
from curate.pipeline.scrape.ending import Ended, SearchResult, conclude
from curate.pipeline.scrape.forecast import Forecast, announced, reach
from curate.pipeline.scrape.journal import Journal
from curate.pipeline.scrape.outcome import Outcome
from curate.pipeline.scrape.plan import (
    SearchPlan,
    plan_all,
    plan_search,
    query_words,
    reopen_if_due,
    with_portable_paths,
)
from curate.pipeline.scrape.raw_store import RawStore, open_store
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from curate.pipeline.scrape.sources import LOCAL, PAGED, SOURCES, licenses, load, local_paths
from curate.pipeline.scrape.sources.candidate import Candidate, storable
from curate.pipeline.scrape.summary import Collected, collected
from curate.pipeline.scrape.web import contact
from curate.pipeline.scrape.web.address_guard import Guard, parse_permit
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.page_cache import StoredPages
from curate.pipeline.scrape.web.url import parts_of
from curate.pipeline.scrape.window import CandidateWindow
from curate.pipeline.tables import manifest

if TYPE_CHECKING:
    from curate.pipeline.scrape.preview import SearchPreview


def run(
    section: Scrape,
    root: Path,
    *,
    allow: tuple[str, ...] = (),
    dial: Mapping[str, tuple[str, int]] | None = None,
    revisit: Revisit = NOTHING,
    accept_fewer: bool = False,
    progress: Progress = SILENT,
) -> Collected:
    """Runs every search of `section` and writes the images table.

    `allow` names hosts, addresses or blocks beyond the public web that may be dialled; `dial` maps a host to the
    address to dial in its place; `revisit` says what of an earlier run to ask for once more; with
    `accept_fewer` a domain may have fewer images than are wanted for it, but not none. Raises UsageError,
    BlockedError when a listing cannot be read, QuotaError when a source's quota is used up, AuthError when it wants a
    key, and YieldError when fewer images than wanted were accepted; for these four the table is written first.
    """
    if not section.queries:
        raise UsageError("nothing to look for", "say what: curate scrape --query TEXT   (or: curate init demo)")
    for name in {*section.sources, *(name for words in section.map.values() for name in words)}:
        _ = SOURCES[name]  # limits and words for a source that is none would go unnoticed
    licenses.permitted(section.licenses)
    guard = Guard([parse_permit(text) for text in allow], dial)
    section = with_portable_paths(section, root)
    with open_store(root) as store, Journal(store.journal) as journal, ExitStack() as stack:
        stack.enter_context(_seldom_collected())
        downloader = Downloader(section, store, journal, guard, stack, revisit)
        plans = [reopen_if_due(plan, journal, revisit) for plan in plan_all(section, store, journal)]
        if any(not plan.finished and plan.query.source not in LOCAL for plan in plans):
            downloader.client()
            if not (section.contact or "").strip():
                progress.note(contact.UNKNOWN)
        for line in announced(section, [plan.query for plan in plans if not plan.finished]):
            progress.note(line)
        admission = Admission(section, store, journal.forgotten)
        results = [_collect(plan, section, store, journal, downloader, admission, progress, revisit) for plan in plans]
        if admission.tally.rows or any(result.broken is None for result in results):  # else the table stays as it was
            meta = {"section": {**as_dict(section), "contact": None}}  # nobody's business who reads the table
            manifest.write_batches(manifest.IMAGES, admission.batches(), root, meta=meta)
    conclude(results, progress, accept_fewer)
    return collected(admission.tally, downloader.request_counts())


def previews(
    section: Scrape,
    root: Path,
    *,
    allow: tuple[str, ...] = (),
    dial: Mapping[str, tuple[str, int]] | None = None,
    progress: Progress = SILENT,
) -> list[SearchPreview]:
    """What every search of `section` would find first; reads pages, downloads no picture, writes no table."""
    from curate.pipeline.scrape.preview import preview  # with the parser of HTML, which few runs need

    guard = Guard([parse_permit(text) for text in allow], dial)
    section = with_portable_paths(section, root)
    with open_store(root) as store, Journal(store.journal) as journal, ExitStack() as stack:
        downloader = Downloader(section, store, journal, guard, stack)
        found = []
        for query in section.queries:
            pages = _pages(query, "dry-run", section, store, downloader, progress)
            found.append(preview(plan_search(query, section, store, journal).query, pages))
            pages.forget()
        return found


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Looks for cycles after 50,000 objects, not 700: they are few, and the looking took 6 % of a run's time."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _collect(
    plan: SearchPlan,
    section: Scrape,
    store: RawStore,
    journal: Journal,
    downloader: Downloader,
    admission: Admission,
    progress: Progress,
    revisit: Revisit,
) -> SearchResult:
    """Goes through one search to its end, or to as many accepted images as are wanted."""
    query = plan.query
    journal.begin(plan.begin)
    pages = _pages(query, plan.key, section, store, downloader, progress, revisit)
    forecast = Forecast(plan.want, None if plan.finished else reach(query.source, section))
    broken: Ended | None = None
    outside: dict[str, None] = {}
    with progress.task(f"scrape {domain_of(query)}", plan.want) as task:

        def decide(candidate: Candidate, outcome: Outcome | None) -> str | None:
            reason = admission.enter(query, candidate, outcome)
            if reason == "other_host":
                outside[parts_of(candidate.image_url or candidate.page_url).netloc] = None
            accepted = reason == manifest.OK
            task.advance(int(accepted or plan.want is None), refused=window.reasons.total() - window.accepted)
            if line := forecast.decided(window.accepted, window.reasons.total()):
                progress.note(f"{domain_of(query)}: {line}")
            return reason

        window = CandidateWindow(
            lambda index, one: downloader.start(plan.key, index, one, lambda: admission.settled(query, one)),
            decide,
            plan.want,
        )
        try:
            for candidate in _candidates(plan, pages, section, journal, revisit):
                if not window.admit(candidate):
                    break
        except (FetchError, QuotaError, AuthError) as error:
            broken = error
            for candidate in journal.remaining(plan.search, plan.key, window.count):  # so that no row is lost
                if not window.admit(candidate):
                    break
        window.drain()
    if broken is None:
        journal.done(plan.key, window.count)
        if query.source not in PAGED:
            pages.forget()
    if isinstance(broken, FetchError) and broken.reason == "other_host":
        outside[parts_of(broken.final_url).netloc] = None
    return SearchResult(plan, window.count, window.reasons, tuple(outside), broken)


def _pages(
    query: Query,
    key: str,
    section: Scrape,
    store: RawStore,
    downloader: Downloader,
    progress: Progress,
    revisit: Revisit = NOTHING,
) -> StoredPages:
    settings = section.sources.get(query.source, {})
    refresh = revisit.refresh and query.source in PAGED
    return StoredPages(
        downloader.client, store.pages(key), progress.note, settings, query_words(section, query), refresh
    )


def _candidates(
    plan: SearchPlan, pages: StoredPages, section: Scrape, journal: Journal, revisit: Revisit
) -> Iterator[Candidate]:
    """What the search finds; when it is refreshed, what it found before and then the rest, so that no row is lost.

    Of one's own files it finds what is there now: of a folder that is not asked for, what is left of what was.
    """
    if plan.finished:
        earlier = journal.candidates(plan.key)
        return _left(plan, earlier, pages) if plan.query.source in LOCAL else earlier
    found = load(plan.query.source)(plan.query, pages)
    if plan.query.source not in LOCAL and section.allow_data_urls:
        found = map(unpacked, found)
    found = map(storable, found)
    if plan.query.source in LOCAL:
        return islice(found, section.limit)
    former = [one for one in journal.candidates(plan.key) if one.refused not in revisit.retry]  # while it is refreshed
    known = {(one.address, one.role, one.group_id) for one in former}
    fresh = (one for one in found if (one.address, one.role, one.group_id) not in known)
    return islice(chain(former, fresh), section.limit)


def _left(plan: SearchPlan, known: Iterator[Candidate], pages: StoredPages) -> Iterator[Candidate]:
    """Of the files that a search found once those that are there now, to be read anew; all if their place is gone."""
    top = Path(plan.query.input or "")
    alone = top.is_file()
    if plan.lost:
        pages.note(f"{local_paths.spelled(top)}: is gone: its pictures stay as they were")
        yield from known
        return
    for candidate in known:
        if candidate.file_name is None:  # of an older journal
            yield candidate
        elif (path := top if alone else top / local_paths.located(candidate.file_name)).is_file():
            yield replace(candidate, file=str(path)) if plan.query.source == "folder" else candidate
