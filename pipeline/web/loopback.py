"""Runs a page on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from curate.pipeline.core import interrupt
from curate.pipeline.core.errors import UsageError

HOST = "127.0.0.1"
PORT = 8765
_TRIES = 20  # ports from PORT on
_GRACE = 2  # seconds that open requests have at the end


def new_token() -> str:
    """A token that nobody can guess, of 32 letters that an address needs no escapes for."""
    return secrets.token_urlsafe(24)


def listen(port: int | None = None) -> socket.socket:
    """A socket that listens on `port` of 127.0.0.1, 0 for any; without one on the first that is free from PORT on.

    Raises UsageError for one that is taken or not permitted.
    """
    for candidate in [port] if port is not None else range(PORT, PORT + _TRIES):
        with contextlib.suppress(OSError):
            return _listen(candidate)
    if port is not None:
        raise UsageError(f"port {port} is taken or not permitted", "choose another with --port, or leave it out")
    raise UsageError(f"no port is free from {PORT} to {PORT + _TRIES - 1}", "choose one with --port; 0 takes any")


def _listen(port: int) -> socket.socket:
    # Named TCP: asyncio sends small answers at once on such sockets alone, on others each waits 40 ms for the client.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def address(listening: socket.socket, token: str) -> str:
    """What a person opens in a browser."""
    return f"http://{HOST}:{listening.getsockname()[1]}/{token}/"


def run(app: ASGIApp, listening: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Answers on `listening` until Ctrl-C, which is how it ends; closes it. Calls `ready` just before."""
    try:
        with contextlib.suppress(KeyboardInterrupt), interrupt.deferred("") as interrupted:
            ready()
            _Server(configuration(app), interrupted).run(sockets=[listening])
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """Ends by what comes before it handles signals itself, too, and by those that it does not know."""

    def __init__(self, config: uvicorn.Config, interrupted: Callable[[], bool]) -> None:
        super().__init__(config)
        self._interrupted = interrupted

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._interrupted()


def configuration(app: ASGIApp) -> uvicorn.Config:
    """How a page is run: silently, since its addresses hold the token, and without trust in forwarded headers."""
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
        ws="none",
    )
