"""Finding images and downloading them: one row in manifests/images.parquet for each candidate that was seen.

Candidates are fetched many at once and decided one by one, in the order of their discovery. What was fetched before,
in this run or in one that was killed, is taken from the journal; a search that has come to its end asks nobody.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import AuthError, BlockedError, QuotaError, UsageError, YieldError
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.scrape.admission import Admission, domain_of
from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.data_urls import unpacked
from curate.pipeline.scrape.downloader import Downloader
from curate.pipeline.scrape.forecast import Forecast, announced, reach
from curate.pipeline.scrape.journal import Begin, Journal
from curate.pipeline.scrape.outcome import Outcome
from curate.pipeline.scrape.plan import SearchPlan, plan_all, plan_search, query_words, reopen_if_due
from curate.pipeline.scrape.raw_store import RawStore, open_store
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from curate.pipeline.scrape.sources import LOCAL, PAGED, SOURCES, licenses, load
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.summary import Collected, collected
from curate.pipeline.scrape.web import contact
from curate.pipeline.scrape.web.address_guard import Guard, parse_permit
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.page_cache import StoredPages
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
        admission = Admission(section, store.temporary, journal.forgotten)
        results = [_collect(plan, section, store, journal, downloader, admission, progress, revisit) for plan in plans]
        if admission.tally.rows or any(result.broken is None for result in results):  # else the table stays as it was
            meta = {"section": {**as_dict(section), "contact": None}}  # nobody's business who reads the table
            manifest.write_batches(manifest.IMAGES, admission.batches(), root, meta=meta)
    try:
        _complain(results, progress)
    except YieldError as error:
        if not accept_fewer or _empty(results):
            raise
        progress.note(f"{error.message}: fewer are accepted, too")
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


_Ended: TypeAlias = FetchError | QuotaError | AuthError  # what a search can come to before its end


class _Result(NamedTuple):
    query: Query
    want: int | None
    reasons: Counter[str]
    outside: tuple[str, ...]  # hosts that its site file does not allow, in words
    broken: _Ended | None

    @property
    def domain(self) -> str:
        """The domain of its images."""
        return domain_of(self.query)

    @property
    def hosts_hint(self) -> str | None:
        """What to write into its site file, if that shuts out hosts that its pages lead to."""
        if not self.outside:
            return None
        from curate.pipeline.scrape.sources.html import hosts_hint  # with the parser of HTML, which few runs need

        return hosts_hint(self.query, self.outside)

    @property
    def short(self) -> bool:
        return not _unasked(self) and self.want is not None and self.reasons[manifest.OK] < self.want


def _collect(
    plan: SearchPlan,
    section: Scrape,
    store: RawStore,
    journal: Journal,
    downloader: Downloader,
    admission: Admission,
    progress: Progress,
    revisit: Revisit,
) -> _Result:
    """Goes through one search to its end, or to as many accepted images as are wanted."""
    query = plan.query
    journal.begin(Begin(plan.search, plan.key, query))
    pages = _pages(query, plan.key, section, store, downloader, progress, revisit)
    forecast = Forecast(plan.want, None if plan.finished else reach(query.source, section))
    broken: _Ended | None = None
    outside: dict[str, None] = {}
    with progress.task(f"scrape {domain_of(query)}", plan.want) as task:

        def decide(candidate: Candidate, outcome: Outcome | None) -> str | None:
            reason = admission.enter(query, candidate, outcome)
            if reason == "other_host":
                outside[urlsplit(candidate.image_url or candidate.page_url or "").netloc] = None
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
        outside[urlsplit(broken.final_url or "").netloc] = None
    return _Result(query, plan.want, window.reasons, tuple(outside), broken)


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
    """What the search finds; when it is refreshed, what it found before and then the rest, so that no row is lost."""
    if plan.finished:
        return journal.candidates(plan.key)
    found = load(plan.query.source)(plan.query, pages)
    if section.allow_data_urls:
        found = map(unpacked, found)
    former = [one for one in journal.candidates(plan.key) if one.refused not in revisit.retry]  # while it is refreshed
    known = {(one.address, one.role, one.group_id) for one in former}
    fresh = (one for one in found if (one.address, one.role, one.group_id) not in known)
    return islice(chain(former, fresh), section.limit)


def _complain(results: list[_Result], progress: Progress) -> None:
    """Says what the run has to say for itself where it did not get what was asked for."""
    reasons: Counter[str] = sum((result.reasons for result in results), Counter())
    hint = "every reason stands in manifests/images.parquet; more queries, or a lower want, would end this"
    if reasons["license"]:
        hint = f"{reasons['license']} state no licence or another; if you may use them: --allow-unknown-license"
    for result in results:
        if allow := result.hosts_hint:
            count, hosts = result.reasons["other_host"], ", ".join(result.outside)
            progress.note(f"{result.domain}: {count} left out, on {hosts}, which its site file does not allow: {allow}")
            hint = f"write {allow}"
    for kind in (AuthError, QuotaError):
        if failures := [r.broken for r in results if isinstance(r.broken, kind)]:
            raise failures[0]
    if unasked := dict.fromkeys(_cause(result) for result in results if _unasked(result)):
        if all(map(_unasked, results)):
            raise UsageError("; ".join(unasked), contact.HINT)
        progress.note(f"skipped: {'; '.join(unasked)}; {contact.HINT}")
    if reasons["no_contact"]:
        progress.note(f"{reasons['no_contact']} pictures are on sites that want to know who asks; {contact.HINT}")
    if broken := dict.fromkeys(_cause(r) for r in results if r.broken is not None and not _unasked(r)):
        allow = next((r.hosts_hint for r in results if r.broken is not None and r.hosts_hint), None)
        raise BlockedError("; ".join(broken), f"write {allow}" if allow else "the same command goes on from here")
    if short := [f"{r.domain}: {r.reasons[manifest.OK]} of {r.want} images{_why(r)}" for r in results if r.short]:
        raise YieldError("; ".join(short), hint)
    if reasons["license"] and reasons["license"] == reasons.total():
        progress.note(hint)


def _empty(results: list[_Result]) -> bool:
    """Whether a domain has no image at all."""
    found: Counter[str] = Counter()
    for result in results:
        found[result.domain] += result.reasons[manifest.OK]
    return not all(found.values())


def _unasked(result: _Result) -> bool:
    """Whether its source was not asked at all, because it wants to know who asks."""
    return isinstance(result.broken, FetchError) and result.broken.reason == "no_contact"


def _cause(result: _Result) -> str:
    """What broke a search, alike for all searches that it broke."""
    error = result.broken
    if isinstance(error, FetchError) and not error.reached:
        return error.detail
    return f"{result.domain}: a listing could not be read: {error}"


def _why(result: _Result) -> str:
    refused = [f"{count} {reason}" for reason, count in result.reasons.most_common() if reason != manifest.OK]
    return f" ({', '.join(refused)})" if refused else ""
