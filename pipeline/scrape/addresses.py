"""The addresses of one picture: which of them are asked, and what counts of what they gave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from curate.pipeline.scrape.outcome import FINAL, RESTING, Outcome
from curate.pipeline.scrape.web.url import server_of


class Addresses:
    """`urls`, the picture's own one first, without those of its own host where that is `given_up`.

    Of several failures the one that came nearest to a picture counts. An owner's no to one address is a no to all.
    """

    def __init__(self, urls: Sequence[str], given_up: bool) -> None:
        self.own = server_of(urls[0])
        self.asked = [url for url in urls if not (given_up and server_of(url) == self.own)]
        self._first = urls[0]
        self._got = [Outcome("host_off", tried_at=datetime.now(UTC))] if given_up else []
        self._of_own = ["host_off"] if given_up else []

    def judge(self, url: str, outcome: Outcome) -> tuple[Outcome, bool]:
        """The outcome that counts after that of `url`, and whether the rest need not be asked."""
        if server_of(url) == self.own:
            self._of_own.append(blamed(outcome, url))
        if url != self._first:
            outcome = msgspec.structs.replace(outcome, image_url=url)
        self._got.append(outcome)
        final = outcome.reason in FINAL
        counts = outcome if final else min(self._got, key=_distance)
        own = next((reason for reason in self._of_own if reason not in RESTING), self._of_own[0])
        if own != counts.reason:
            counts = msgspec.structs.replace(counts, own=own)
        if own in RESTING and not counts.tried_at:
            counts = msgspec.structs.replace(counts, tried_at=datetime.now(UTC))
        return counts, final


def blamed(outcome: Outcome, url: str) -> str:
    """What `outcome` of asking for `url` says of the host of `url`: that another sends us away does not end it."""
    elsewhere = outcome.final_url is not None and server_of(outcome.final_url) != server_of(url)
    return "network" if outcome.reason == "host_off" and elsewhere else outcome.reason


def _distance(outcome: Outcome) -> int:
    """How far a failed fetch was from a picture: one that will not do, no picture, nothing, but perhaps another day."""
    if outcome.sha256 is not None:
        return 0 if outcome.width is not None else 1
    return 2 if outcome.reason in RESTING else 3
