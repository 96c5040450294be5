"""How many requests in a row a host gets that does not answer: so many for one picture, so many in all.

All ways to its pictures share them: its own, redirects, other addresses, robots.txt. Who comes too late fails as the
last one did, so that it makes no difference to the rows who was first.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.url import Url, server_of

SILENCE = frozenset({"network", "too_slow", "http_5xx"})  # reasons of a request that was not answered


@dataclass
class _Silent:
    requests: int = 0  # in a row, those under way among them
    shared: bool = False  # whether any of them was out of order
    before: int = 0  # of earlier commands
    last: FetchError | None = None


class HostBudget:
    """At most `most` requests in a row to each host that it does not answer.

    `ordered` are those that HostPatience hands out in the order of discovery. It sees to it that they are not too many,
    so they are refused only where there are others.
    """

    def __init__(self, most: int, reason: str | None = None) -> None:
        """`reason`: of whoever comes too late, where that is another one than before."""
        self._most = most
        self._reason = reason
        self._silent: dict[str, _Silent] = {}
        self._lock = threading.Lock()

    def check(self, url: Url) -> None:
        """Raises FetchError where the host of `url` has had its requests: as the last of them failed."""
        with self._lock:
            self._check(url, ordered=False)

    def spend(self, url: Url, ordered: bool = False, *, always: bool = False) -> None:
        """Counts a request that is about to be sent. Raises FetchError as `check`, unless it is `always` sent."""
        with self._lock:
            if not always:
                self._check(url, ordered)
            known = self._silent.setdefault(url.server, _Silent())
            known.requests += 1
            known.shared |= not ordered

    def _check(self, url: Url, ordered: bool) -> None:
        known = self._silent.get(url.server)
        if known is None or known.last is None or (ordered and not known.shared):
            return
        if known.requests + (0 if ordered else known.before) >= self._most:
            last, said = known.last, f"{url.host} has failed too often"
            raise FetchError(self._reason or last.reason, said, last.status, url.text, reached=last.reached)

    def failed(self, server: str, error: FetchError) -> None:
        """What a request that was counted failed of, by silence."""
        with self._lock:
            self._silent.setdefault(server, _Silent()).last = error

    def answered(self, server: str) -> None:
        """`server` answered, whatever it said."""
        with self._lock:
            self._silent.pop(server, None)

    def recall(self, server: str, requests: int, error: FetchError) -> None:
        """Counts what an earlier command asked in vain: only against those that are not ordered."""
        with self._lock:
            known = self._silent.setdefault(server, _Silent())
            known.before += requests
            known.last = error


class Tries:
    """The requests that one picture may cost each host in vain, over all of its `addresses`, which are asked in turn.

    The last of them is for another address there, where there is one: a server may fail at one size alone. `own`: the
    host whose pictures HostPatience hands out in order.
    """

    def __init__(self, addresses: Sequence[str], own: str, most: int) -> None:
        self._ahead = [server_of(address) for address in addresses]
        self.own = own
        self._most = most
        self._failed: Counter[str] = Counter()

    def next(self) -> bool:
        """Goes on to the next address: False if its host has had all of its requests."""
        return self._failed[self._ahead.pop(0)] < self._most

    def left(self, server: str) -> int:
        """How often `server` may be asked for the address at hand."""
        return max(1, self._most - self._failed[server] - (server in self._ahead))

    def failed(self, server: str) -> None:
        """`server` did not answer."""
        self._failed[server] += 1
