"""How the searches of a run ended, and what is to be said of it: nothing found, too little, somebody in the way."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, TypeAlias

from curate.pipeline.core.errors import AuthError, BlockedError, QuotaError, UsageError, YieldError
from curate.pipeline.core.progress import Progress
from curate.pipeline.scrape.admission import domain_of
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.plan import SearchPlan
from curate.pipeline.scrape.sources import local_paths
from curate.pipeline.scrape.web import contact
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.network_errors import OFFLINE
from curate.pipeline.tables import manifest

Ended: TypeAlias = FetchError | QuotaError | AuthError  # what a search can come to before its end


class SearchResult(NamedTuple):
    """What one search came to."""

    plan: SearchPlan
    seen: int  # candidates
    reasons: Counter[str]  # of the rows that they made; none where another search had made them
    outside: tuple[str, ...]  # hosts that its site file does not allow, in words
    broken: Ended | None

    @property
    def domain(self) -> str:
        """The domain of its images."""
        return domain_of(self.plan.query)

    @property
    def hosts_hint(self) -> str | None:
        """What to write into its site file, if that shuts out hosts that its pages lead to."""
        if not self.outside:
            return None
        from curate.pipeline.scrape.sources.html import hosts_hint  # with the parser of HTML, which few runs need

        return hosts_hint(self.plan.query, self.outside)

    @property
    def short(self) -> bool:
        """Whether fewer than wanted were accepted."""
        return self.plan.want is not None and self.reasons[manifest.OK] < self.plan.want

    @property
    def yielded(self) -> bool:
        """Whether it found a picture that is accepted, or that some other search had found before."""
        return bool(self.reasons.keys() & {manifest.OK, "duplicate"}) or self.reasons.total() < self.seen


def conclude(results: list[SearchResult], progress: Progress, accept_fewer: bool = False) -> None:
    """Says what a run has to say for itself where it did not get what was asked for.

    Raises AuthError, QuotaError, UsageError where no source may be asked, BlockedError where a listing cannot be read,
    and YieldError where a search finds nothing, fewer than wanted are accepted, or none at all. With `accept_fewer` the
    last is a remark, as long as every domain has an image.
    """
    try:
        _complain(results, progress)
    except YieldError as error:
        if not accept_fewer or _empty(results):
            raise
        progress.note(f"{error.message}: fewer are accepted, too")


def _empty(results: list[SearchResult]) -> bool:
    """Whether a domain that was asked for has no image at all."""
    fruitful = {result.domain for result in results if result.yielded}
    return any(result.domain not in fruitful for result in results if result.plan.asked)


def _complain(results: list[SearchResult], progress: Progress) -> None:
    reasons: Counter[str] = sum((result.reasons for result in results), Counter())
    if left := sum(result.reasons["host_off"] for result in results if result.plan.asked):
        progress.note(f"{left} were not asked for, as their hosts were given up: {_AGAIN}")
    hint = _hint(reasons)
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
    asked = [result for result in results if result.plan.asked and not _unasked(result)]
    if empty := [result for result in asked if not result.seen]:
        hint = _ELSEWHERE.get(empty[0].plan.query.source, _OTHER_WORDS)
        raise YieldError("; ".join(dict.fromkeys(_nothing(result.plan.query) for result in empty)), hint)
    short = [f"{r.domain}: {r.reasons[manifest.OK]} of {r.plan.want} images{_why(r)}" for r in asked if r.short]
    if not short and not any(result.yielded for result in asked):
        short = [f"{r.domain}: none of {r.seen} candidates is accepted{_why(r)}" for r in asked]
    if short:
        raise YieldError("; ".join(short), hint)


_AGAIN = "--retry-failed=host_off does, or, for pictures, the same command a day later"
_OTHER_WORDS = "try other words, the words that the source uses (scrape.map), or another source: curate sources"
_ELSEWHERE = {
    "folder": "pictures are known by their names or their bytes, hidden ones are passed over: is it the right folder?",
    "video": "films are known by their names, like .mp4 or .mkv: is it the right folder?",
    "urls": "a line or a row of it for each picture: is it the right list?",
    "html": "see what its selectors match: the same command with --dry-run",
}


def _nothing(query: Query) -> str:
    """What a search without candidates looked for in vain."""
    where = query.input or query.site
    if query.source == "html" or where is None:
        return f"{query.source}: nothing is found" + (f" for {query.query!r}" if query.query else "")
    sought = {"folder": "picture", "video": "film that shows anything", "urls": "address"}[query.source]
    return f"{local_paths.spelled(where)}: there is no {sought} in it"


def _hint(reasons: Counter[str]) -> str:
    """What to do about the refusals that are most easily mended."""
    if reasons["no_contact"]:
        return contact.HINT
    if count := reasons["license"]:
        return f"{count} state no licence or another; if you may use them: --allow-unknown-license, or --license NAME"
    if count := reasons["license_unclear"]:
        return f"{count} state a licence in words that are not understood: license_raw in the table's column extra"
    return "every reason stands in manifests/images.parquet; more queries, or a lower want, would end this"


def _unasked(result: SearchResult) -> bool:
    """Whether its source was not asked at all, because it wants to know who asks."""
    return isinstance(result.broken, FetchError) and result.broken.reason == "no_contact"


def _cause(result: SearchResult) -> str:
    """What broke a search, alike for all searches that it broke."""
    error = result.broken
    if isinstance(error, FetchError) and not error.reached:
        source = result.plan.query.source
        offline = "no network, or no such host: " if error.detail.endswith(OFFLINE) else ""
        return error.detail if error.detail.startswith(f"{source}: ") else f"{source}: {offline}{error.detail}"
    return f"{result.domain}: a listing could not be read: {error}"


def _why(result: SearchResult) -> str:
    refused = [f"{count} {reason}" for reason, count in result.reasons.most_common() if reason != manifest.OK]
    return f" ({', '.join(refused)})" if refused else ""
