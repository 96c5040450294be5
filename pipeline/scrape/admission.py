"""Decides, candidate by candidate in the order of discovery, what becomes a row and with which reason.

Decisions depend on that order alone, never on which fetch ended first: a run that was killed and started again, or
one with other workers, comes to the same table.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.scrape.config import Query, Scrape
from curate.pipeline.scrape.digest_map import DigestMap
from curate.pipeline.scrape.outcome import Outcome
from curate.pipeline.scrape.plan import portable
from curate.pipeline.scrape.raw_store import RawStore
from curate.pipeline.scrape.row_store import RowStore
from curate.pipeline.scrape.sources import HANDED, licenses, local_paths
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.summary import Tally
from curate.pipeline.tables import manifest
from curate.pipeline.tables.checks import as_domain


class Admission:
    """The rows so far, and what the decision about the next one depends on."""

    def __init__(self, section: Scrape, store: RawStore, forgotten: Callable[..., bool] = lambda *names: False) -> None:
        """The rows stand in `store.temporary` until the table is written."""
        self._section = section
        self._root = store.root
        self._places: dict[str, str] = {}  # of local inputs, as `portable` writes them
        self._forgotten = forgotten  # whether one of some names must leave no trace
        self._rows = RowStore(manifest.IMAGES, store.temporary)
        self._kept = DigestMap()  # by sha256, and the product for pictures with a role
        self._ranks: Counter[str] = Counter()  # by domain
        self.tally = Tally()

    def settled(self, query: Query, candidate: Candidate) -> str | None:
        """The reason, if there is one already, not to fetch `candidate`."""
        if candidate.refused is not None:
            return candidate.refused
        if self._unwanted(candidate):
            return "excluded"
        if candidate.license == licenses.OTHER:
            return "license_unclear"
        return None if self._licensed(query, candidate) else "license"

    def enter(self, query: Query, candidate: Candidate, outcome: Outcome | None) -> str | None:
        """Makes the row of the next candidate and returns its reason; None if it has one already or shall have none.

        `outcome` may be None only where `settled` gives a reason.
        """
        if self._unwanted(candidate) or (outcome is not None and self._forgotten(outcome.sha256)):
            return None
        domain = domain_of(query, candidate)
        place = self._place(query.input) if query.input and candidate.image_url is None else None
        name = _candidate_id(query, candidate, domain, place)
        if name in self._rows:
            return None
        reason = self.settled(query, candidate)
        if reason is not None:
            outcome = None  # it may have been fetched before it was known that it need not be
        else:
            reason = self._judge(candidate, outcome)
        rank = self._ranks[domain]
        self._ranks[domain] += 1
        row = _row(name, query, candidate, outcome, domain, rank, reason, place)
        self._rows.add(row)
        unsupported = f"{outcome.format}: {outcome.advice}" if outcome and outcome.format else None
        self.tally.count(row["image_url"], reason, row["bytes"], unsupported)
        return reason

    def _place(self, path: str) -> str:
        if path not in self._places:
            self._places[path] = portable(path, self._root)
        return self._places[path]

    def _unwanted(self, candidate: Candidate) -> bool:
        return self._forgotten(candidate.address, candidate.image_url, candidate.page_url, candidate.creator)

    def batches(self) -> Iterator[pa.Table]:
        """Every row, in the order of the table."""
        return self._rows.batches()

    def _licensed(self, query: Query, candidate: Candidate) -> bool:
        if candidate.license == licenses.UNKNOWN:
            return query.source in HANDED or self._section.allow_unknown_license
        if candidate.license == query.source:  # who asks a platform has read its own terms
            return True
        return licenses.family(candidate.license) in self._section.licenses

    def _judge(self, candidate: Candidate, outcome: Outcome | None) -> str:
        assert outcome is not None, "a candidate that was not refused was fetched"
        if outcome.reason != manifest.OK:
            return outcome.reason
        assert outcome.sha256 is not None
        product = candidate.group_id if candidate.role else None
        picture = hashlib.sha256(f"{outcome.sha256} {product or ''}".encode()).digest()
        if picture in self._kept:
            return "duplicate"
        self._kept[picture] = 0
        return manifest.OK


def domain_of(query: Query, candidate: Candidate | None = None) -> str:
    """The domain of a search's images: its own, its query, or the name of its list, folder or site.

    Made harmless as `as_domain` does.
    """
    named = query.domain or (candidate.domain if candidate else None) or query.query
    if not named:
        path = Path(query.input or query.site or query.source)
        named = local_paths.words(path.name if query.source == "folder" or path.is_dir() else path.stem)
    return as_domain(named)


def _candidate_id(query: Query, candidate: Candidate, domain: str, place: str | None) -> str:
    """`place`: of the list or folder that the address belongs to, where it is none of the web: others have the same."""
    product = [candidate.role, candidate.group_id] if candidate.role else []
    name = json.dumps([query.source, domain, candidate.address, *product, *([{"input": place}] if place else [])])
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _row(
    name: str,
    query: Query,
    candidate: Candidate,
    outcome: Outcome | None,
    domain: str,
    rank: int,
    reason: str,
    place: str | None,
) -> dict[str, Any]:
    known = outcome or Outcome(reason)
    stored = reason in {manifest.OK, "duplicate"}
    extra = dict(candidate.extra)
    if place is not None:
        extra["input"] = place
    if known.mode:
        extra["mode"] = known.mode
    if known.format:
        extra |= {"format": known.format, "advice": known.advice}
    if known.animated:
        extra["animated"] = True
    if known.checked_at:
        extra["checked_at"] = known.checked_at.isoformat(timespec="seconds")
    if known.gone:
        extra["gone"] = True
    return {
        "candidate_id": name,
        "image_id": known.sha256,
        "path": known.path if stored else None,
        "domain": domain,
        "source": query.source,
        "query": query.query,
        "image_url": known.image_url or candidate.image_url,
        "file": candidate.file_name,
        "final_url": known.final_url,
        "page_url": candidate.page_url,
        "title": candidate.title,
        "creator": candidate.creator,
        "license": candidate.license,
        "license_url": candidate.license_url,
        "role": candidate.role,
        "group_id": candidate.group_id,
        "variant": candidate.variant,
        "rank": rank,
        "width": known.width,
        "height": known.height,
        "bytes": known.bytes,
        "retrieved_at": known.retrieved_at,
        "etag": known.etag,
        "last_modified": known.last_modified,
        "http_status": known.http_status,
        "extra": json.dumps(extra, ensure_ascii=False, sort_keys=True) if extra else None,
        "status": manifest.ACCEPTED if reason == manifest.OK else manifest.REJECTED,
        "reason": reason,
    }
