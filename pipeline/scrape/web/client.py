"""One request after the other, under every rule of the layer: the only place that sends anything."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from curate.pipeline.scrape.config import Scrape
from curate.pipeline.scrape.web import backoff, body, contact, headers, network_errors
from curate.pipeline.scrape.web.access import MAX_REDIRECTS, AccessRules
from curate.pipeline.scrape.web.address_guard import Guard, RefusedAddressError
from curate.pipeline.scrape.web.fetch_errors import FetchError, TransientError
from curate.pipeline.scrape.web.host_budget import SILENCE, HostBudget, Tries
from curate.pipeline.scrape.web.reply import Kind, Moved, Response, judged
from curate.pipeline.scrape.web.request import PLAIN, RequestOptions
from curate.pipeline.scrape.web.scheduler import Scheduler, Steps, Turn
from curate.pipeline.scrape.web.transport import Watchdog, adapter, request
from curate.pipeline.scrape.web.url import Url, parse

R = TypeVar("R")

LONGEST_PARK = 3600.0  # s; a host that asks for more is left alone for this run


class HttpClient:
    """The layer, open for one run: a scheduler, a connection pool and what was learnt about each host."""

    def __init__(self, section: Scrape, guard: Guard, budget: HostBudget, hosts: Path | None = None) -> None:
        self._section = section
        self._http = adapter(guard, section.workers)
        self._timeout = section.connect_timeout, section.read_timeout
        self._agent = headers.agent(section.contact)
        self._identified = contact.usable(section.contact)
        self._watchdog = Watchdog()
        self._scheduler = Scheduler(section.workers, section.delay)
        self._access = AccessRules(self._hop, budget.check, self._scheduler, section.per_host, hosts)
        self._random = random.Random()
        self._exhausted: dict[str, float] = {}  # APIs whose quota is used up, until when (monotonic s)
        self._sent: Counter[str] = Counter()  # requests, by host and port
        self._budget = budget
        self._page_budget = HostBudget(backoff.PATIENCE * section.tries, "host_off")
        self._counting = threading.Lock()

    def close(self) -> None:
        """Starts no more requests, lets those under way end for a moment, then cuts them."""
        self._scheduler.close()
        self._watchdog.close()
        self._http.close()

    def image(
        self,
        addresses: Sequence[str],
        page_url: str | None,
        judge: Callable[[str, Response | FetchError], tuple[R, bool]],
        then: Callable[[R], R],
        own: str,
        options: RequestOptions = PLAIN,
    ) -> Future[R]:
        """Fetches one address of a picture after the other until `judge` says that it will do, and hands what `judge`
        made of the last one to `then` on the fetching thread.

        `own`: the host that whoever asks gives up by itself, in the order of its pictures.
        """
        tries = Tries(addresses, own, self._section.tries)

        def steps() -> Steps[R]:
            for url in addresses:
                if tries.next():
                    fetch = self._fetch(url, Kind.IMAGE, page_url, options=options, tries=tries)
                    result, enough = judge(url, (yield from self._caught(fetch)))
                    if enough:
                        break
            return result

        return self._scheduler.submit(steps(), then)

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
        """Requests so far by host and port: those that went out, with redirects, retries and robots.txt."""
        with self._counting:
            return {host: sent for host, sent in self._sent.items() if sent}

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
        tries: Tries | None = None,
    ) -> Steps[Response]:
        """The request with its redirects, each hop under all the rules. `tries`: of a picture."""
        url = parse(address)
        ordered = tries is not None and url.server == tries.own
        for _ in range(MAX_REDIRECTS + 1):
            if allowed is not None and not (allowed(url.host) or allowed(url.key)):
                raise FetchError("other_host", f"{url.host} is not among the allowed hosts", final_url=url.text)
            if not self._identified and contact.demanded(url.host):
                said = f"{url.host} is not asked without a contact: its operator wants to know who asks"
                raise FetchError("no_contact", said, final_url=url.text, reached=False)
            if kind is not Kind.ANSWER:
                yield from self._access.check(url, kind is Kind.IMAGE)
            else:
                self._scheduler.widen(url.key, 1, 0.0)
                if (left := self._exhausted.get(url.key, 0.0) - time.monotonic()) > 0:
                    raise FetchError("quota", "said that its allowance is used up", final_url=url.text, wait=left)
            sending = self._send_with_retries(url, kind, page_url, options=options, tries=tries, ordered=ordered)
            result = yield from sending
            if isinstance(result, Response):
                return result
            following = self._next_hop(url, result, kind)
            ordered = ordered and following.server == url.server
            if following.key != url.key or options.form:  # keys are for the host, and the address, that gave them
                following, options = parse(options.without(following.text)), options.elsewhere
            elif options.params:
                following = parse(options.address(options.without(following.text)))
            url = following
        raise FetchError("network", f"more than {MAX_REDIRECTS} redirects", final_url=url.text)

    @staticmethod
    def _next_hop(url: Url, moved: Moved, kind: Kind) -> Url:
        following = url.redirected(moved.location)
        if kind is Kind.ANSWER and url.scheme == "https" and following.scheme == "http":
            raise FetchError("ssrf_blocked", "redirected from https to http", final_url=following.text)
        return following

    def _hop(self, url: Url, holding: bool) -> Steps[Response | Url]:
        """One hop towards what an origin says about itself."""
        result = yield from self._send_with_retries(url, Kind.ROBOTS, None, holding=holding)
        return result if isinstance(result, Response) else url.redirected(result.location)

    def _send_with_retries(
        self,
        url: Url,
        kind: Kind,
        page_url: str | None,
        holding: bool = False,
        options: RequestOptions = PLAIN,
        tries: Tries | None = None,
        ordered: bool = False,
    ) -> Steps[Response | Moved]:
        """One hop, tried again while its failures may pass. `holding`: the turn is held already, and kept.

        `ordered`: it is asked in the order of its own pictures, as HostBudget has it.
        """
        after, budget = 0.0, self._budget_of(kind)
        for attempt in range(tries.left(url.server) if tries is not None else self._section.tries):
            if attempt or not holding:
                yield Turn(url.key, after, kind is not Kind.IMAGE, keep=holding, free=kind is Kind.ROBOTS)
            budget.spend(url, ordered, always=kind is Kind.ROBOTS)
            try:
                result = self._send(url, kind, page_url, options)
            except FetchError as error:
                if error.reason not in SILENCE:
                    budget.answered(url.server)
                else:
                    error.final_url = error.final_url or url.text
                    budget.failed(url.server, error)
                    if tries is not None:
                        tries.failed(url.server)
                if not isinstance(error, TransientError):
                    raise
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
                budget.answered(url.server)
                self._scheduler.served(url.key)
                return result
        raise FetchError(
            last.reason, last.detail, last.status, url.text, wait=last.wait, body=last.body, reached=last.reached
        ) from last

    def _send(self, url: Url, kind: Kind, page_url: str | None, options: RequestOptions) -> Response | Moved:
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
                self._count(url, 1)
                with self._http.send(
                    request(url.text, sent, options.form), stream=True, timeout=self._timeout
                ) as reply:
                    try:
                        limits = self._section.max_bytes, self._access.licensed(url)
                        result = judged(reply, url, kind, exchange, options, *limits, partial(self._rest, url, kind))
                    finally:
                        body.drain(reply)
                if options.check is not None and isinstance(result, Response):
                    options.check(result)
                return result
            except RefusedAddressError as error:
                self._count(url, -1)
                raise FetchError("ssrf_blocked", str(error), final_url=url.text) from error
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
                self._count(url, -1)
                raise FetchError("bad_url", str(error)) from error
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, AttributeError) as error:
                if exchange.expired:  # what a socket that was shut under a reader raises is anyone's guess
                    raise FetchError("too_slow", "over the deadline or under the rate") from error
                if isinstance(error, AttributeError):
                    raise
                raise self._failed(error, url) from error

    def _failed(self, error: Exception, url: Url) -> FetchError:
        """What a failure of the network means. One of TLS stays; so does a name that is none, for a host never met."""
        failure = network_errors.explained(error, url.host)
        met = self._count(url, 0 if failure.sent else -1) > 0
        if isinstance(error, requests.exceptions.SSLError) or (failure.unknown and not met):
            return FetchError("network", failure.text, final_url=url.text, reached=False)
        late = isinstance(error, requests.exceptions.ReadTimeout | urllib3.exceptions.ReadTimeoutError)
        return TransientError("too_slow" if late else "network", failure.text, reached=failure.sent)

    def _budget_of(self, kind: Kind) -> HostBudget:
        """Pages and answers have one of their own: a host that gives them may be without pictures."""
        return self._page_budget if kind in {Kind.PAGE, Kind.ANSWER} else self._budget

    def _count(self, url: Url, more: int) -> int:
        """Counts `more` requests to the host of `url`, and returns how many it had."""
        with self._counting:
            self._sent[url.key] += more
            return self._sent[url.key]

    def _rest(self, url: Url, kind: Kind, pause: float) -> None:
        """Leaves a host alone whose quota is used up; for one that takes too long to fill, the next request fails."""
        if pause <= LONGEST_PARK:
            self._scheduler.park(url.key, pause)
        elif kind is Kind.ANSWER:
            self._exhausted[url.key] = time.monotonic() + pause
