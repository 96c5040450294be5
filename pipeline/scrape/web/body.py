"""Reading what a response brings: no more than is wanted, and no slower than is borne."""

from __future__ import annotations

from collections.abc import Iterator

import requests

from curate.pipeline.scrape.web.fetch_errors import FetchError
from curate.pipeline.scrape.web.transport import Exchange

_EXCERPT = 4096  # bytes of a refusal that are read
_CHUNK = 32 * 1024  # bytes per read: small enough that a slow body is noticed between two of them
_MOST = 256 * 1024  # bytes that are taken at once where they are there


def read(reply: requests.Response, cap: int, cut: bool, exchange: Exchange) -> bytes:
    """The body, counted as it is decoded. Above `cap` bytes it is cut, or else FetchError is raised."""
    length = reply.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > cap and not cut:
        raise FetchError("too_large", f"{length} bytes", reply.status_code)
    chunks: list[bytes] = []
    for chunk in _arriving(reply):
        chunks.append(chunk)
        exchange.received += len(chunk)
        if exchange.received > cap:
            if cut:
                break
            raise FetchError("too_large", f"more than {cap} bytes", reply.status_code)
    if exchange.expired:  # a shut socket can look like the end of a body without a length
        raise FetchError("too_slow", "over the deadline or under the rate")
    return b"".join(chunks)


def _arriving(reply: requests.Response) -> Iterator[bytes]:
    """The decoded body in pieces; a plain one as it comes in from the network, so in few of them."""
    if "Transfer-Encoding" in reply.headers or "Content-Encoding" in reply.headers:
        return reply.raw.stream(_CHUNK, decode_content=True)
    return iter(lambda: reply.raw.read1(_MOST), b"")


def drain(reply: requests.Response) -> None:
    """Reads what little a refusal or a redirect says, so that its connection can be used again."""
    length = reply.headers.get("Content-Length", "")
    if reply.status_code >= 300 and length.isdecimal() and int(length) <= _EXCERPT:
        reply.raw.drain_conn()


def beginning(reply: requests.Response) -> bytes:
    """How the body begins."""
    return reply.raw.read(_EXCERPT, decode_content=True) or b""
