"""Who may ask a page on this machine, and how much they may send.

Every other page that is open in the browser can send requests to 127.0.0.1, and so can every other user of the machine.
So each request must name a host of this machine (a name that was rebound to 127.0.0.1 is a stranger's), begin with the
token that only the printed address holds, and come from the page itself where it changes anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})  # by any port: ssh may forward another one
READING = frozenset({"GET", "HEAD"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
}


class PageGuard:
    """Hands a request on to `app` without the token in its path, or refuses it."""

    def __init__(self, app: ASGIApp, token: str, *, body_limit: int, camera: bool = False) -> None:
        """`body_limit` in bytes; with `camera` the page may ask for it."""
        self._app, self._prefix, self._body_limit = app, f"/{token}", body_limit
        self._headers = {**_HEADERS, "Permissions-Policy": _permissions(camera=camera)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; any other kind of connection is closed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if refused := self._refusal(scope):
            await _answer(*refused)(scope, receive, reply)
        elif (body := await self._body(receive)) is None:
            too_large = _answer(413, f"more than {self._body_limit:,} bytes", "send less at once")
            await too_large(scope, receive, reply)
        else:
            inner = {**scope, "root_path": scope.get("root_path", "") + self._prefix}
            await self._app(inner, _replayed(body, receive), reply)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, what is wrong and what to do; None for a request that may pass."""
        headers = Headers(scope=scope)
        if not is_here(headers.get("host", "")):
            return 403, "this page is for this machine alone", "open the address that the terminal shows"
        if not self._has_token(scope["path"]):
            return 403, "the address lacks the page's token", "open the whole address that the terminal shows"
        if scope["method"] not in READING and headers.get("origin") != f"http://{headers['host']}":
            return 403, "only the page itself may change anything", "open the address that the terminal shows"
        return None

    def _has_token(self, path: str) -> bool:
        given = path[: len(self._prefix)].encode("utf-8", "surrogateescape")
        return secrets.compare_digest(given, self._prefix.encode()) and path[len(self._prefix) :].startswith("/")

    async def _body(self, receive: Receive) -> bytes | None:
        """All that was sent; None when it is more than the limit, which is read but not kept, or breaks off."""
        body, length = bytearray(), 0
        while (message := await receive())["type"] == "http.request":
            part = message.get("body", b"")
            length += len(part)
            if length <= self._body_limit:
                body += part
            if not message.get("more_body", False):
                return bytes(body) if length <= self._body_limit else None
        return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`body` as one message, then whatever else comes."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed


def is_here(host: str) -> bool:
    """Whether `host`, as a request names it (with or without a port), is this machine's own name."""
    try:
        return urlsplit(f"//{host}").hostname in HOSTS and "@" not in host and "/" not in host
    except ValueError:
        return False


def _answer(status: int, message: str, hint: str) -> JSONResponse:
    content: Mapping[str, str] = {"error": message, "hint": hint}
    return JSONResponse(content, status, headers={"Connection": "close"})


def _permissions(*, camera: bool) -> str:
    return f"camera=({'self' if camera else ''}), geolocation=(), microphone=()"
