"""The drawn world as a real web site on loopback."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from curate.pipeline.demo.config import Demo
from curate.pipeline.demo.site import CHANGED, Site
from curate.pipeline.demo.world import HOST, DrawnWorld


class Request(NamedTuple):
    """One request that the server saw: the path with its query, the User-Agent, and the seconds since the epoch."""

    path: str
    agent: str
    time: float


@dataclass(frozen=True)
class Served:
    """A running site: `url` is its real address, `dial` maps its logical host to it, `requests` grows as they come."""

    world: DrawnWorld
    url: str
    dial: Mapping[str, tuple[str, int]]
    requests: list[Request] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serve(section: Demo) -> Iterator[Served]:
    """Serves the world of `section` on a free port of 127.0.0.1 for as long as the context lasts."""
    world = DrawnWorld(section)
    requests: list[Request] = []
    server = _Server(("127.0.0.1", 0), _handler(Site(world), requests))
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="demo-site", daemon=True
    )
    thread.start()
    port = server.server_address[1]
    try:
        yield Served(world, f"http://127.0.0.1:{port}", {HOST: ("127.0.0.1", port)}, requests)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(site: Site, requests: list[Request]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open
        server_version, sys_version = "drawn-world", ""
        disable_nagle_algorithm = True
        timeout = 60

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Requests are kept in the list, not written to the terminal."""

        def _reply(self, with_body: bool) -> None:
            requests.append(Request(self.path, self.headers.get("User-Agent", ""), time.time()))
            answer = site.answer(self.path)
            fresh = answer.status == 200 and self._unchanged(answer.etag)
            body = b"" if fresh else site.world.encoded(answer.picture) if answer.picture else answer.body
            self.send_response(304 if fresh else answer.status)
            if answer.etag:
                self.send_header("ETag", answer.etag)
                self.send_header("Last-Modified", CHANGED)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if not fresh:
                self.send_header("Content-Type", answer.mime)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body and body:
                self.wfile.write(body)

        def _unchanged(self, etag: str | None) -> bool:
            """Whether the client's copy still holds; If-None-Match goes before If-Modified-Since."""
            if (known := self.headers.get("If-None-Match")) is not None:
                return etag in [tag.strip().removeprefix("W/") for tag in known.split(",")] or known.strip() == "*"
            return self.headers.get("If-Modified-Since") == CHANGED

    return Handler
