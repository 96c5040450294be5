"""What a server's reply means: its status and headers first, and its body only if both are fine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import requests

from curate.pipeline.scrape.web import backoff, body, optout, robots, signals
from curate.pipeline.scrape.web.fetch_errors import FetchError, TransientError
from curate.pipeline.scrape.web.request import RequestOptions
from curate.pipeline.scrape.web.transport import Exchange
from curate.pipeline.scrape.web.url import Url

PAGE_BYTES = 5 * 1024 * 1024
ANSWER_BYTES = 20 * 1024 * 1024
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
    signal: str | None = None  # the refusal of training in its headers, likewise
    licenses: tuple[str, ...] = ()  # addresses of RSL licences in its headers


@dataclass(frozen=True)
class Moved:
    """A redirect."""

    location: str


_CAPS = {Kind.PAGE: PAGE_BYTES, Kind.ANSWER: ANSWER_BYTES, Kind.ROBOTS: robots.MAX_BYTES}


def judged(
    reply: requests.Response,
    url: Url,
    kind: Kind,
    exchange: Exchange,
    options: RequestOptions,
    max_bytes: int,
    licensed: bool,
    rest: Callable[[float], None],
) -> Response | Moved:
    """What `reply`, to a request for `url`, is.

    `max_bytes`: of an image. `licensed`: its site's licence by RSL grants training on it. `rest` is told for how many
    seconds the host wants to be left alone. Raises FetchError, TransientError when another try may help.
    """
    now = datetime.now(UTC)
    status = reply.status_code
    if status in _MOVED and (location := reply.headers.get("Location")):
        return Moved(location)
    if reply.headers.get("cf-mitigated", "").lower() == "challenge":
        raise FetchError("host_off", "a challenge page", status, url.text)
    family = "http_5xx" if status >= 500 else "http_4xx"
    if status in backoff.RETRIED:
        wait = backoff.asked_wait(reply.headers, now)
        raise TransientError(family, str(status), status, wait, _excerpt(reply, kind))
    if status not in ({200, NOT_MODIFIED} if options.conditions else {200}):
        reason = family if status >= 400 else "network"
        raise FetchError(reason, f"status {status}", status, url.text, body=_excerpt(reply, kind))
    refusal = optout.refused_by_headers(reply.raw.headers.getlist("X-Robots-Tag"), reply.headers.get("TDM-Reservation"))
    if refusal and kind is Kind.IMAGE:
        raise FetchError("optout_header", refusal, status, url.text)
    lines = reply.raw.headers.getlist
    signal = signals.refused_by_headers(lines("Content-Signal"), lines("Content-Usage"))
    licenses = tuple(signals.rsl_links(lines("Link")))
    if kind is Kind.IMAGE and (signal or (licenses and not licensed)):
        raise FetchError("optout_signal", signal or "RSL", status, url.text)
    if (pause := backoff.spent(reply.headers, now)) is not None:
        rest(pause)
    return Response(
        url.text,
        status,
        body.read(reply, _CAPS.get(kind, max_bytes), kind is Kind.ROBOTS, exchange),
        reply.headers.get("Content-Type", ""),
        reply.headers.get("ETag"),
        reply.headers.get("Last-Modified"),
        refusal,
        now,
        backoff.asked_wait(reply.headers, now),
        signal,
        licenses,
    )


def _excerpt(reply: requests.Response, kind: Kind) -> bytes:
    """How an API's refusal begins: it often says why."""
    return body.beginning(reply) if kind is Kind.ANSWER else b""
