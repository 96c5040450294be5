"""What is known of a picture from the journal, as far as it still holds."""

from __future__ import annotations

from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.journal import Journal, Past
from curate.pipeline.scrape.outcome import holds, left_alone
from curate.pipeline.scrape.raw_store import RawStore
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.tables.checks import is_picture_path
from curate.pipeline.tables.schema import PHOTOS


class Recall:
    """Earlier outcomes under the limits of `section`, but for those with a reason in `retry`."""

    def __init__(self, section: Scrape, store: RawStore, journal: Journal, retry: frozenset[str]) -> None:
        self._section = section
        self._store = store
        self._journal = journal
        self._retry = retry

    def of(self, key: str | None, name: str) -> Past | None:
        """The last outcome of an address, a sha256 or a stamp; `key` names the search that asks, for one that may."""
        past = self._journal.past(name)
        if past is None or not holds(past.outcome, self._section, past.fresh or past.key == key, name):
            return None
        return self._standing(past, name)

    def own(self, key: str, index: int, candidate: Candidate) -> Past | None:
        """What the search `key` noted itself of its candidate, where another noted something of its address since."""
        url = candidate.image_url or ""
        last = self._journal.past(url)
        if last is None or last.key == key:
            return None
        outcome = self._journal.find_outcome(key, index, candidate.address)
        if outcome is None or not holds(outcome, self._section, same_run=True, address=url):
            return None
        return self._standing(Past(key, outcome, fresh=False), url)

    def _standing(self, past: Past, name: str) -> Past | None:
        """`past`, unless it is to be tried again, or its bytes are gone."""
        outcome = past.outcome
        reason = "host_off" if left_alone(outcome, name) else outcome.reason
        if not past.fresh and {outcome.reason, reason} & self._retry:
            return None
        path = outcome.path  # as the journal has it, which may be somebody else's
        stands = path is None or (is_picture_path(path, PHOTOS) and self._store.has(path, outcome.bytes or 0))
        return past if stands else None
