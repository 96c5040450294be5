"""One request after the other, under every rule of the layer: the only place that sends anything."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.web import backoff, body, headers, optout, robots
from curate.pipeline.scrape.web.access import MAX_REDIRECTS, AccessRules
from curate.pipeline.scrape.web.address_guard import Guard, RefusedAddressError
from curate.pipeline.scrape.web.fetch_errors import FetchError, TransientError
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions
from curate.pipeline.scrape.web.scheduler import Scheduler, Steps, Turn
from curate.pipeline.scrape.web.transport import Exchange, Watchdog, adapter, request
from curate.pipeline.scrape.web.url import Url, parse

R = TypeVar("R")

PAGE_BYTES = 5 * 1024 * 1024
ANSWER_BYTES = 20 * 1024 * 1024
LONGEST_PARK = 3600.0  # s; a host that asks for more is left alone for this run
NOT_MODIFIED = 304
_MOVED = frozenset({301, 302, 303, 307, 308})


class Kind(Enum):
    """What is asked for, and so which rules hold."""

    PAGE = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
    IMAGE = "image/*,*/*;q=0.8"
    ANSWER = "application/json"  # of an API that the user calls: robots.txt is not about it
    ROBOTS = "text/plain,*/*;q=0.8"


@dataclass(frozen=True)
class Response:
    """A 200 with its whole body, decoded; or a 304 without one, to a request with conditions."""

    final_url: str
    status: int
    body: bytes
    content_type: str
    etag: str | None
    last_modified: str | None
    optout: str | None  # the refusal in its headers; an image that carries one is never read
    received: datetime
    wait: float | None = None  # s, by its Retry-After: some APIs refuse with a 200


@dataclass(frozen=True)
class _Moved:
    location: str


class HttpClient:
    """The layer, open for one run: a scheduler, a connection pool and what was learnt about each host."""

    def __init__(self, section: Scrape, guard: Guard, hosts: Path | None = None) -> None:
        self._section = section
        self._http = adapter(guard, section.workers)
        self._timeout = section.connect_timeout, section.read_timeout
        self._agent = headers.agent(section.contact)
        self._watchdog = Watchdog()
        self._scheduler = Scheduler(section.workers, section.delay)
        self._access = AccessRules(
            self._hop, lambda host, delay: self._scheduler.widen(host, section.per_host, delay), hosts
        )
        self._random = random.Random()
        self._exhausted: dict[str, float] = {}  # APIs whose quota is used up, until when (monotonic s)

    def close(self) -> None:
        """Starts no more requests, lets those under way end for a moment, then cuts them."""
        self._scheduler.close()
        self._watchdog.close()
        self._http.close()

    def image(
        self,
        url: str,
        page_url: str | None,
        then: Callable[[Response | FetchError], R],
        options: RequestOptions = PLAIN,
    ) -> Future[R]:
        """Fetches an image and hands it, or the FetchError, to `then` on the fetching thread."""
        return self._scheduler.submit(self._caught(self._fetch(url, Kind.IMAGE, page_url, options=options)), then)

    def page(
        self, url: str, *, allowed: Callable[[str], bool] | None = None, options: RequestOptions = PLAIN
    ) -> Response:
        """Fetches an HTML page and waits for it; `allowed` judges the host of every hop. Raises FetchError."""
        steps = self._fetch(url, Kind.PAGE, allowed=allowed, options=options)
        return self._scheduler.submit(steps, lambda done: done).result()

    def answer(self, url: str, options: RequestOptions = PLAIN) -> Response:
        """Fetches an answer of an API and waits for it. Raises FetchError, without any secret."""
        steps = self._fetch(options.address(url), Kind.ANSWER, options=options)
        try:
            response = self._scheduler.submit(steps, lambda done: done).result()
        except FetchError as error:
            options.rethrow(error)
        return replace(response, final_url=options.without(response.final_url))

    def request_counts(self) -> dict[str, int]:
        """Requests so far by host and port."""
        return self._scheduler.started()

    def space(self, host: str, delay: float) -> None:
        """Sets the seconds between two requests to `host`."""
        self._scheduler.space(host, delay)

    @staticmethod
    def _caught(steps: Steps[Response]) -> Steps[Response | FetchError]:
        try:
            return (yield from steps)
        except FetchError as error:
            return error

    def _fetch(
        self,
        address: str,
        kind: Kind,
        page_url: str | None = None,
        allowed: Callable[[str], bool] | None = None,
        options: RequestOptions = PLAIN,
    ) -> Steps[Response]:
        """The request with its redirects, each hop under all the rules."""
        url = parse(address)
        for _ in range(MAX_REDIRECTS + 1):
            if allowed is not None and not (allowed(url.host) or allowed(url.key)):
                raise FetchError("excluded", f"{url.host} is not among the allowed hosts", final_url=url.text)
            if kind is not Kind.ANSWER:
                yield from self._access.check(url, kind is Kind.IMAGE)
            else:
                self._scheduler.widen(url.key, 1, 0.0)
                if (left := self._exhausted.get(url.key, 0.0) - time.monotonic()) > 0:
                    raise FetchError("quota", "said that its allowance is used up", final_url=url.text, wait=left)
            result = yield from self._send_with_retries(url, kind, page_url, options=options)
            if isinstance(result, Response):
                return result
            following = self._next_hop(url, result, kind)
            if following.key != url.key or options.form:  # keys are for the host, and the address, that gave them
                following, options = parse(options.without(following.text)), options.elsewhere
            elif options.params:
                following = parse(options.address(options.without(following.text)))
            url = following
        raise FetchError("network", f"more than {MAX_REDIRECTS} redirects", final_url=url.text)

    @staticmethod
    def _next_hop(url: Url, moved: _Moved, kind: Kind) -> Url:
        following = url.redirected(moved.location)
        if kind is Kind.ANSWER and url.scheme == "https" and following.scheme == "http":
            raise FetchError("ssrf_blocked", "redirected from https to http", final_url=following.text)
        return following

    def _hop(self, url: Url, holding: bool) -> Generator[Turn, None, Response | Url]:
        """One hop towards what an origin says about itself."""
        result = yield from self._send_with_retries(url, Kind.ROBOTS, None, holding=holding)
        return result if isinstance(result, Response) else url.redirected(result.location)

    def _send_with_retries(
        self, url: Url, kind: Kind, page_url: str | None, holding: bool = False, options: RequestOptions = PLAIN
    ) -> Generator[Turn, None, Response | _Moved]:
        """One hop, tried again while its failures may pass. `holding`: the turn is held already, and kept."""
        after = 0.0
        for attempt in range(self._section.tries):
            if attempt or not holding:
                yield Turn(url.key, after, urgent=kind is not Kind.IMAGE, keep=holding)
            try:
                result = self._send(url, kind, page_url, options)
            except TransientError as error:
                last = error
                if error.status in {429, 503} and not attempt:  # its further tries are spaced by themselves
                    self._scheduler.refused(url.key)
                if error.wait is not None:
                    if error.wait > LONGEST_PARK:
                        raise FetchError(
                            "quota", f"asks to wait {error.wait:.0f} s", error.status, wait=error.wait, body=error.body
                        ) from error
                    self._scheduler.park(url.key, error.wait)
                after = time.monotonic() + (error.wait or 0.0)
                after += backoff.backoff(attempt, self._section.delay, self._random)
            else:
                self._scheduler.served(url.key)
                return result
        raise FetchError(last.reason, last.detail, last.status, url.text, wait=last.wait, body=last.body) from last

    def _send(self, url: Url, kind: Kind, page_url: str | None, options: RequestOptions) -> Response | _Moved:
        """One request and its response. Raises FetchError, TransientError when another try may help."""
        encoding = "identity" if kind is Kind.IMAGE else "gzip, deflate"
        sent = {
            "User-Agent": self._agent,
            "Accept": kind.value,
            "Accept-Encoding": encoding,
            **headers.referer(page_url, url),
            **options.headers,
            **options.conditions,
        }
        with self._watchdog.watch(self._section.deadline) as exchange:
            try:
                with self._http.send(
                    request(url.text, sent, options.form), stream=True, timeout=self._timeout
                ) as reply:
                    try:
                        result = self._judge(reply, url, kind, exchange, options)
                    finally:
                        body.drain(reply)
                if options.check is not None and isinstance(result, Response):
                    options.check(result)
                return result
            except RefusedAddressError as error:
                raise FetchError("ssrf_blocked", str(error), final_url=url.text) from error
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
                raise FetchError("bad_url", str(error)) from error
            except requests.exceptions.SSLError as error:
                raise FetchError("network", f"TLS: {error}", final_url=url.text) from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, AttributeError) as error:
                if exchange.expired:  # what a socket that was shut under a reader raises is anyone's guess
                    raise FetchError("too_slow", "over the deadline or under the rate") from error
                if isinstance(error, AttributeError):
                    raise
                late = isinstance(error, requests.exceptions.ReadTimeout | urllib3.exceptions.ReadTimeoutError)
                raise TransientError("too_slow" if late else "network", str(error)) from error

    def _judge(
        self, reply: requests.Response, url: Url, kind: Kind, exchange: Exchange, options: RequestOptions
    ) -> Response | _Moved:
        """What the status and the headers mean; the body is read only when both are fine."""
        now = datetime.now(UTC)
        status = reply.status_code
        if status in _MOVED and (location := reply.headers.get("Location")):
            return _Moved(location)
        if reply.headers.get("cf-mitigated", "").lower() == "challenge":
            raise FetchError("host_off", "a challenge page", status, url.text)
        family = "http_5xx" if status >= 500 else "http_4xx"
        if status in backoff.RETRIED:
            wait = backoff.asked_wait(reply.headers, now)
            raise TransientError(family, str(status), status, wait, self._excerpt(reply, kind))
        if status not in ({200, NOT_MODIFIED} if options.conditions else {200}):
            reason = family if status >= 400 else "network"
            raise FetchError(reason, f"status {status}", status, url.text, body=self._excerpt(reply, kind))
        refusal = optout.refused_by_headers(
            reply.raw.headers.getlist("X-Robots-Tag"), reply.headers.get("TDM-Reservation")
        )
        if refusal and kind is Kind.IMAGE:
            raise FetchError("optout_header", refusal, status, url.text)
        if (pause := backoff.spent(reply.headers, now)) is not None:
            self._rest(url.key, pause, kind)
        return Response(
            url.text,
            status,
            body.read(reply, self._cap(kind), kind is Kind.ROBOTS, exchange),
            reply.headers.get("Content-Type", ""),
            reply.headers.get("ETag"),
            reply.headers.get("Last-Modified"),
            refusal,
            now,
            backoff.asked_wait(reply.headers, now),
        )

    def _rest(self, host: str, pause: float, kind: Kind) -> None:
        """Leaves a host alone whose quota is used up; for one that takes too long to fill, the next request fails."""
        if pause <= LONGEST_PARK:
            self._scheduler.park(host, pause)
        elif kind is Kind.ANSWER:
            self._exhausted[host] = time.monotonic() + pause

    @staticmethod
    def _excerpt(reply: requests.Response, kind: Kind) -> bytes:
        """How an API's refusal begins: it often says why."""
        return body.beginning(reply) if kind is Kind.ANSWER else b""

    def _cap(self, kind: Kind) -> int:
        caps = {Kind.IMAGE: self._section.max_bytes, Kind.PAGE: PAGE_BYTES, Kind.ANSWER: ANSWER_BYTES}
        return caps.get(kind, robots.MAX_BYTES)
