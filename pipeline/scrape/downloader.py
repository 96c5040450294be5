"""Finds out what a candidate's bytes are: from the journal, from a local file, or from the web."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np

from curate.pipeline.scrape import futures
from curate.pipeline.scrape.addresses import Addresses, blamed
from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.digest_map import DigestMap
from curate.pipeline.scrape.host_patience import HostPatience
from curate.pipeline.scrape.inspector import Inspector
from curate.pipeline.scrape.journal import CandidateSeen, Journal, Past
from curate.pipeline.scrape.outcome import GIVEN_UP, RESTING, UNANSWERED, Outcome, extension
from curate.pipeline.scrape.raw_store import RawStore
from curate.pipeline.scrape.recall import Recall
from curate.pipeline.scrape.revisit import NOTHING, Revisit
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.web import contact
from curate.pipeline.scrape.web.address_guard import Guard
from curate.pipeline.scrape.web.backoff import PATIENCE
from curate.pipeline.scrape.web.client import HttpClient
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.host_budget import HostBudget
from curate.pipeline.scrape.web.json_reader import well_formed
from curate.pipeline.scrape.web.reply import NOT_MODIFIED, Response
from curate.pipeline.scrape.web.request import conditional, http_date
from curate.pipeline.scrape.web.url import server_of
from curate.pipeline.tables import manifest

Note: TypeAlias = Callable[[Outcome | None], Outcome | None]

_SETTLED = 2.0  # s since its last change after which a file's times tell whether it is the same; FAT counts in these
_OF_BYTES = ("sha256", "path", "bytes", "width", "height", "mode", "animated", "format", "advice")
ALIKE = 8  # bits of 64 in which the perceptual hashes of copies of one picture may differ


class Downloader:
    """Fetches, inspects, stores and journals; threads and connections are made when they are first needed."""

    def __init__(
        self,
        section: Scrape,
        store: RawStore,
        journal: Journal,
        guard: Guard,
        stack: ExitStack,
        revisit: Revisit = NOTHING,
    ) -> None:
        self._section = section
        self._revisit = revisit
        self._store = store
        self._journal = journal
        self._guard = guard
        self._stack = stack
        self._client: HttpClient | None = None
        self._avoided = np.array(sorted(journal.avoided), np.uint64)
        self._inspector = stack.enter_context(Inspector(section, hashed=bool(journal.avoided)))
        self._readers: ThreadPoolExecutor | None = None
        self._patience = HostPatience()
        self._budget = HostBudget(PATIENCE * section.tries)
        self._recall = Recall(section, store, journal, revisit.retry)
        self._met = DigestMap()  # addresses of this run
        self._under_way: dict[bytes, Future[Outcome | None]] = {}  # those that are being asked for

    def client(self) -> HttpClient:
        """The HTTP layer. Raises UsageError for a contact that cannot be shown to the sites."""
        if self._client is None:
            stated = (self._section.contact or "").strip() or None
            shown = contact.checked(stated, public=not self._guard.widened) if stated else None
            section = msgspec.structs.replace(self._section, contact=shown)
            self._client = HttpClient(section, self._guard, self._budget, self._store.hosts)
            self._stack.callback(self._client.close)
        return self._client

    def request_counts(self) -> dict[str, int]:
        """Requests of this run by host and port."""
        return self._client.request_counts() if self._client is not None else {}

    def start(
        self, key: str, index: int, candidate: Candidate, refused: Callable[[], str | None]
    ) -> Future[Outcome | None]:
        """Starts finding out what candidate `index` of the search `key` is; the future's outcome is journalled by then.

        `refused` gives the reason not to ask for it, or None; it is called just before it would be.
        """

        def note(outcome: Outcome | None, stamp: str | None = None) -> Outcome | None:
            self._journal.seen(CandidateSeen(key, index, candidate, outcome, stamp))
            return outcome

        if self._journal.forgotten(candidate.address, candidate.image_url, candidate.page_url, candidate.creator):
            return futures.known(None)  # and not a word of it in the journal
        if refused() is not None:
            return futures.known(note(None))
        if candidate.file is not None:
            if (unchanged := self._unchanged(candidate.file)) is not None:  # here: threads would cost more than it does
                return futures.known(note(*unchanged))
            if self._readers is None:
                self._readers = self._stack.enter_context(ThreadPoolExecutor(self._section.workers))
            return self._readers.submit(lambda: note(*self._read(candidate.file or "")))
        if candidate.data is not None:  # at once, so that none of them wait in memory
            return futures.known(note(self._given(candidate.data)))
        if candidate.image_url is None:  # of a search of local files that is not asked for now, or no address at all
            return futures.known(self._journal.find_outcome(key, index, candidate.address) or note(Outcome("bad_url")))
        return self._of_web(key, index, candidate, candidate.image_url, note)

    def _of_web(self, key: str, index: int, candidate: Candidate, url: str, note: Note) -> Future[Outcome | None]:
        """The outcome of a picture of the web: known, under way for another candidate, or to be asked for.

        Its host is judged by each address once, where a run first meets it.
        """
        host, digest = server_of(url), hashlib.sha256(url.encode()).digest()[:16]
        again = digest in self._met
        self._met[digest] = 0
        if shared := self._under_way.get(digest):
            return futures.then(shared, lambda outcome: _noted(outcome, note))
        past = self._recall.of(key, url) or self._recall.own(key, index, candidate)
        if past is not None and (not self._revisit.refresh or past.fresh or past.outcome.path is None):
            if not again:
                self._remember(host, url, past.outcome)
            return futures.known(note(past.outcome))
        future = self._patience.fetch(host, lambda off: self._asked(candidate, url, past, note, off))
        self._under_way[digest] = future
        future.add_done_callback(lambda _: self._under_way.pop(digest, None))
        return futures.then(future, lambda outcome: _noted(outcome, note) if outcome is GIVEN_UP else outcome)

    def _remember(self, host: str, url: str, outcome: Outcome) -> None:
        """Lets an outcome of the past count as if it were of this run, for a day where a host did not answer."""
        stands = outcome.young and "host_off" not in self._revisit.retry
        if stands or outcome.of_own not in RESTING:
            self._patience.count(host, outcome.of_own)
        server = host if outcome.final_url in {None, url} else server_of(outcome.final_url or "")
        if outcome.reason not in RESTING:
            self._budget.answered(server)
        elif stands and outcome.reason in UNANSWERED:
            error = FetchError(outcome.reason, outcome.detail or "", outcome.http_status)
            self._budget.recall(server, self._section.tries, error)

    def _asked(
        self, candidate: Candidate, url: str, past: Past | None, note: Note, given_up: bool
    ) -> Future[Outcome | None]:
        """Asks for a picture, and where its address gives none, for its other addresses in turn.

        `given_up`: its host is, and has no further request.
        """
        if past is not None:
            return (
                futures.known(note(past.outcome)) if given_up else self._refreshed(candidate, url, past.outcome, note)
            )
        others = [one for one in candidate.fallbacks or () if not self._journal.forgotten(one)]
        addresses = Addresses([url, *others], given_up)
        if not addresses.asked:
            return futures.known(GIVEN_UP)
        from_page = candidate.fallbacks is not None
        return self.client().image(
            addresses.asked,
            candidate.page_url,
            lambda one, got: addresses.judge(one, self._examined(got, from_page)),
            note,
            addresses.own,
        )

    def _refreshed(self, candidate: Candidate, url: str, known: Outcome, note: Note) -> Future[Outcome | None]:
        options = conditional(known.etag, known.last_modified or http_date(known.retrieved_at))
        address, own = known.image_url or url, server_of(url)
        known = msgspec.structs.replace(known, own=None, tried_at=None)
        return self.client().image(
            [address], candidate.page_url, lambda one, got: (self._renewed(known, one, got), True), note, own, options
        )

    def _renewed(self, past: Outcome, url: str, got: Response | FetchError) -> Outcome:
        """What a conditional request makes of a stored image. A failure that says nothing about it changes nothing."""
        now = datetime.now(UTC)
        if isinstance(got, FetchError):
            if got.status in {404, 410}:
                return msgspec.structs.replace(past, gone=True, checked_at=now)
            failed = self._examined(got)
            if got.reason in {"optout_header", "optout_signal"}:
                return failed
            return msgspec.structs.replace(past, own=blamed(failed, url), tried_at=failed.tried_at)
        if got.status == NOT_MODIFIED:
            return msgspec.structs.replace(past, gone=False, checked_at=now)
        found = self._examined(got)
        return found if found.reason == manifest.OK else past

    def _examined(self, got: Response | FetchError, from_page: bool = False) -> Outcome:
        """`from_page`: the address was read off a page, so that one flat colour is no picture."""
        if isinstance(got, FetchError):
            judged = datetime.now(UTC) if got.reason in RESTING else None
            detail = well_formed(got.detail) or None
            return Outcome(got.reason, detail, http_status=got.status, final_url=got.final_url, tried_at=judged)
        return msgspec.structs.replace(
            self._stored(got.body, from_page),
            mime=got.content_type or None,
            final_url=got.final_url,
            http_status=got.status,
            etag=got.etag,
            last_modified=got.last_modified,
            retrieved_at=got.received,
        )

    def _unchanged(self, file: str) -> tuple[Outcome, str] | None:
        """A local file's outcome and stamp, if it is as it was when it was stamped."""
        try:
            stamp = _stamp(file, os.stat(file))  # noqa: PTH116 - of text: half the time of Path's
        except OSError:
            return None
        past = self._recall.of(None, stamp)
        return (_of_file(past.outcome), stamp) if past is not None else None

    def _read(self, file: str) -> tuple[Outcome, str | None]:
        """A local file's outcome, and the stamp to know it by if it has stood long enough to have one.

        Its bytes are copied, and decoded only if they were never seen before.
        """
        try:
            status = os.stat(file)  # noqa: PTH116
            stamp = _stamp(file, status)
            if status.st_size > self._section.max_bytes:
                return Outcome("too_large"), None
            data = Path(file).read_bytes()
        except OSError as error:
            return Outcome("decode_failed", str(error)), None
        outcome = self._given(data)
        young = time.time() - max(status.st_mtime, status.st_ctime) < _SETTLED
        return outcome, None if young or outcome.sha256 is None else stamp

    def _given(self, data: bytes) -> Outcome:
        """The outcome of bytes of the user's own."""
        past = self._recall.of(None, hashlib.sha256(data).hexdigest())
        if past is None:
            return self._stored(data)
        return _of_file(past.outcome)

    def _stored(self, data: bytes, from_page: bool = False) -> Outcome:
        outcome = self._inspector.examine(data)
        if from_page and outcome.flat and outcome.reason == manifest.OK:
            return msgspec.structs.replace(outcome, reason="placeholder", phash=None)
        if self._journal.forgotten(outcome.sha256):
            return Outcome("excluded", sha256=outcome.sha256)
        if outcome.reason == manifest.OK and self._like_forgotten(outcome.phash):
            return Outcome(
                "excluded", "nearly the same as a picture that was forgotten", outcome.sha256, bytes=len(data)
            )
        outcome = msgspec.structs.replace(outcome, phash=None)
        if outcome.reason != manifest.OK:
            return outcome
        assert outcome.sha256 is not None
        return msgspec.structs.replace(outcome, path=self._store.put(data, outcome.sha256, extension(data)))

    def _like_forgotten(self, phash: int | None) -> bool:
        if phash is None:
            return False
        return bool((np.bitwise_count(self._avoided ^ np.uint64(phash)) <= ALIKE).any())


def _stamp(file: str, status: os.stat_result) -> str:
    """Names a file as it is now: other bytes under its path have another stamp, for any write changes its ctime."""
    facts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return hashlib.sha256(os.fsencode(file) + repr(facts).encode()).hexdigest()[:32]


def _of_file(past: Outcome) -> Outcome:
    """What an earlier outcome of the same bytes says of them, without where they were downloaded."""
    return Outcome(past.reason, **{name: getattr(past, name) for name in _OF_BYTES})


def _noted(outcome: Outcome | None, note: Note) -> Outcome | None:
    """`outcome`, once it is in the journal; that nobody was asked is none there."""
    note(None if outcome is GIVEN_UP else outcome)
    return outcome
