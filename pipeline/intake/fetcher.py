"""Finds out what a candidate's bytes are: from the journal, from a local file, or from the web."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec

from pipeline import manifest
from pipeline.errors import UsageError
from pipeline.intake.journal import Journal, Seen
from pipeline.intake.outcome import Outcome, examine, extension, holds
from pipeline.intake.store import Store
from pipeline.params import Scrape
from pipeline.sources.candidate import Candidate
from pipeline.web.address import Guard
from pipeline.web.faults import FetchError
from pipeline.web.session import Response, Web


class Fetcher:
    """Fetches, examines, stores and journals; threads and connections are made when they are first needed."""

    def __init__(self, section: Scrape, store: Store, journal: Journal, guard: Guard, stack: ExitStack) -> None:
        self._section = section
        self._store = store
        self._journal = journal
        self._guard = guard
        self._stack = stack
        self._layer: Web | None = None
        self._readers: ThreadPoolExecutor | None = None

    def web(self) -> Web:
        """The HTTP layer. Raises UsageError when there is no contact to show to the sites."""
        if self._layer is None:
            contact = self._section.contact or ""
            if not contact.strip() or not contact.isprintable() or not contact.isascii():
                raise UsageError(
                    "sites must be told who asks for their images: an address or URL in plain ASCII",
                    "add: --contact you@example.org   (or scrape.contact in params.yaml)",
                )
            self._layer = Web(self._section, self._guard)
            self._stack.callback(self._layer.close)
        return self._layer

    def start(
        self, key: str, index: int, candidate: Candidate, refused: Callable[[], str | None]
    ) -> Future[Outcome | None]:
        """Sees to it that the fate of candidate `index` of the search `key` becomes known, and is journalled by then.

        `refused` tells whether it is still worth asking for, just before it is.
        """

        def note(outcome: Outcome | None) -> Outcome | None:
            self._journal.seen(Seen(key, index, candidate, outcome))
            return outcome

        if refused() is not None:
            return _known(note(None))
        if candidate.file is not None:
            if self._readers is None:
                self._readers = self._stack.enter_context(ThreadPoolExecutor(self._section.workers))
            return self._readers.submit(lambda: note(self._read(Path(candidate.file or ""))))
        if candidate.image_url is None:
            return _known(note(Outcome("bad_url")))
        if (past := self._remembered(key, candidate.image_url)) is not None:
            return _known(note(past))
        return self.web().image(candidate.image_url, candidate.page_url, lambda got: note(self._examined(got)))

    def _remembered(self, key: str | None, name: str) -> Outcome | None:
        """The outcome of an earlier fetch, if it still holds and its bytes still stand."""
        past = self._journal.past(name)
        if past is None or not holds(past.outcome, self._section, past.key == key):
            return None
        outcome = past.outcome
        stands = outcome.path is None or self._store.has(outcome.path, outcome.bytes or 0)
        return outcome if stands else None

    def _examined(self, got: Response | FetchError) -> Outcome:
        if isinstance(got, FetchError):
            return Outcome(got.reason, got.detail or None, http_status=got.status, final_url=got.final_url)
        return msgspec.structs.replace(
            self._stored(got.body),
            mime=got.content_type or None,
            final_url=got.final_url,
            http_status=got.status,
            etag=got.etag,
            last_modified=got.last_modified,
            retrieved_at=got.received,
        )

    def _read(self, path: Path) -> Outcome:
        """A local file's outcome; its bytes are copied, and decoded only if they were never seen before."""
        try:
            if path.stat().st_size > self._section.max_bytes:
                return Outcome("too_large")
            data = path.read_bytes()
        except OSError as error:
            return Outcome("decode_failed", str(error))
        past = self._remembered(None, hashlib.sha256(data).hexdigest())
        if past is None:
            return self._stored(data)
        facts = {name: getattr(past, name) for name in ("sha256", "path", "bytes", "width", "height", "mode")}
        return Outcome(past.reason, **facts)

    def _stored(self, data: bytes) -> Outcome:
        outcome = examine(data, self._section)
        if outcome.reason != manifest.OK:
            return outcome
        assert outcome.sha256 is not None
        return msgspec.structs.replace(outcome, path=self._store.put(data, outcome.sha256, extension(data)))


def _known(outcome: Outcome | None) -> Future[Outcome | None]:
    future: Future[Outcome | None] = Future()
    future.set_result(outcome)
    return future
