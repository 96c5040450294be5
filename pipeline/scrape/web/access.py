"""Whether an origin lets us in: its robots.txt and its reservations are read before anything else is asked of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from curate.pipeline.scrape.web import robots, rsl, tdmrep
from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.origin_cache import OriginCache
from curate.pipeline.scrape.web.rsl import RslFile
from curate.pipeline.scrape.web.scheduler import Steps, Turn, Wait
from curate.pipeline.scrape.web.tdmrep import Reservations
from curate.pipeline.scrape.web.url import Url

MAX_REDIRECTS = 5


class Text(Protocol):
    """A response, as far as it matters here."""

    @property
    def body(self) -> bytes: ...
    @property
    def content_type(self) -> str: ...


class Hosts(Protocol):
    """The scheduler, as far as it matters here."""

    def claim(self, key: str) -> bool: ...
    def release(self, key: str) -> None: ...
    def widen(self, host: str, limit: int, delay: float) -> None: ...


Read = Callable[[Url, bool], Steps[Text | Url]]  # one hop: what it gave, or where it leads


class AccessRules:
    """What is known of each origin; `folder` keeps it for later runs.

    `limit`: connections to a host whose rules are known. An origin's own files are asked for once a day and before
    anything else, one right after the other, and what was waiting for them is asked for right after them.
    """

    def __init__(
        self, read: Read, may_ask: Callable[[Url], None], hosts: Hosts, limit: int, folder: Path | None = None
    ) -> None:
        """`may_ask` raises FetchError for an origin that is not even asked for its own files."""
        self._read = read
        self._may_ask = may_ask
        self._hosts = hosts
        self._limit = limit
        self._cache = OriginCache(folder)
        self._robots = robots.RulesCache()
        self._reserved: dict[str, Reservations] = {}
        self._licenses: dict[str, RslFile] = {}

    def check(self, url: Url, image: bool) -> Steps[None]:
        """Waits until the origin's rules are known, and raises FetchError if they refuse `url`.

        Rights that are reserved are those in images; pages may be read to find out.
        """
        while (rules := self._known(url)) is None:
            if not self._hosts.claim(url.origin):
                yield Wait(url.origin)
                continue
            try:
                if self._known(url) is None:  # or another fetch has been first
                    self._may_ask(url)
                    yield Turn(url.key, urgent=True, free=True)
                    yield from self._ask(url)
            finally:
                self._hosts.release(url.origin)
        verdict = rules.verdict(url.text)
        if verdict != "allowed":
            raise FetchError(verdict, rules.why, final_url=url.text, reached=rules.sent)
        if agent := rules.signals.shuts_out(url.text):
            raise FetchError("optout_signal", f"{agent} is shut out", final_url=url.text)
        if not image:
            return
        if self._reserved.get(url.origin, tdmrep.NONE).cover(url.text):
            raise FetchError("optout_header", "tdmrep.json", final_url=url.text)
        said = rules.signals.refusal(url.text)
        if said is None and rules.signals.licenses and self._license(url) is False:
            said = "RSL"
        if said is not None:
            raise FetchError("optout_signal", said, final_url=url.text)

    def licensed(self, url: Url) -> bool:
        """Whether the origin's licence by RSL grants training on `url`; only once `check` has let it pass."""
        return self._license(url) is True

    def _license(self, url: Url) -> bool | None:
        return self._licenses[url.origin].grants(url.text) if url.origin in self._licenses else None

    def _known(self, url: Url) -> robots.Rules | None:
        """The rules of this run, or those that an earlier one kept."""
        rules = self._robots.known(url.origin, time.monotonic())
        if rules is not None:
            return rules
        kept, reserved = (self._cache.get(url.origin, what) for what in ("robots", "tdmrep"))
        if kept is None or reserved is None:
            return None
        rules = robots.parse(kept[0], "")
        if rules.signals.licenses:
            if (license_ := self._cache.get(url.origin, "rsl")) is None:
                return None
            self._licenses[url.origin] = rsl.parse(license_[0])
        self._reserved[url.origin] = tdmrep.parse(reserved[0])
        self._robots.recall(url.origin, rules, time.monotonic() + min(kept[1], reserved[1]))
        self._hosts.widen(url.key, self._limit, rules.delay)
        return rules

    def _ask(self, url: Url) -> Steps[None]:
        """Reads its files in one turn of the host, which nobody else is asked in meanwhile."""
        rules, body = yield from self._ask_robots(url)
        if rules.reachable:
            yield Turn(url.key, urgent=True, keep=True, free=True)
            self._reserved[url.origin] = yield from self._ask_reservations(url)
            if rules.signals.licenses:
                self._licenses[url.origin] = yield from self._ask_license(url, rules.signals.licenses)
            self._cache.put(url.origin, "robots", body)
        held = self._robots.keep(url.origin, rules, time.monotonic())
        self._hosts.widen(url.key, self._limit, held.delay)

    def _ask_robots(self, url: Url) -> Steps[tuple[robots.Rules, bytes]]:
        """The rules, and the text that says the same to a later run."""
        start = url.at("/robots.txt")
        try:
            answer = yield from self._follow(start)
        except FetchError as error:
            if error.reason == "ssrf_blocked" and error.final_url == start.text:
                raise
            denied = error.status is not None and 400 <= error.status < 500 and error.status != 429
            if denied:
                return robots.NO_RULES, b""
            return robots.Rules(reachable=False, why=error.detail, sent=error.reached), b""
        if answer is None:
            return robots.UNREACHABLE, b""
        rules = robots.parse(answer.body, answer.content_type)
        return rules, answer.body if rules.parser is not None else b""

    def _ask_reservations(self, url: Url) -> Steps[Reservations]:
        """Only a statement counts: a file that cannot be had reserves nothing."""
        body = b""
        try:
            answer = yield from self._follow(url.at(tdmrep.PATH))
            body = answer.body if answer is not None else b""
        except FetchError:
            pass
        self._cache.put(url.origin, "tdmrep", body)
        return tdmrep.parse(body)

    def _ask_license(self, url: Url, addresses: tuple[str, ...]) -> Steps[RslFile]:
        """A licence that cannot be had grants nothing; nor do several, of which nobody knows which holds."""
        body = b""
        try:
            if len(set(addresses)) == 1:
                start = url.redirected(addresses[0])
                yield Turn(start.key, urgent=True, keep=start.key == url.key, free=True)
                answer = yield from self._follow(start)
                body = answer.body if answer is not None else b""
        except FetchError:
            pass
        self._cache.put(url.origin, "rsl", body)
        return rsl.parse(body)

    def _follow(self, start: Url) -> Steps[Text | None]:
        """What `start` answers after its redirects; None after too many. The turn of its host is held, and kept."""
        hop = start
        for _ in range(MAX_REDIRECTS + 1):
            result = yield from self._read(hop, hop.key == start.key)
            if not isinstance(result, Url):
                return result
            hop = result
        return None
