"""A web server on loopback that does what it is told, however rude, and remembers who asked for what."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Request:
    """One request as the server saw it; `began` and `ended` in monotonic seconds."""

    path: str
    headers: Mapping[str, str]
    began: float

    @property
    def agent(self) -> str:
        return self.headers.get("User-Agent", "")


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """Routes and what happened on them. A route is an Answer; one without a query string answers every one."""

    port: int = 0
    routes: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    peak: int = 0  # requests answered at one time
    _active: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def add(
        self, path: str, body: bytes | str = b"", status: int = 200, mime: str = "image/jpeg", **headers: str
    ) -> str:
        """Answers `path` with a well-behaved response; header names with _ for -. Returns its URL."""
        content = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            if not any(name.lower() == "content_type" for name in headers):
                handler.send_header("Content-Type", mime)
            for name, value in headers.items():
                for line in value.split("\n"):
                    handler.send_header(name.replace("_", "-"), line)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        return self.route(path, answer)

    def route(self, path: str, answer: Answer) -> str:
        self.routes[path] = answer
        return self.url(path)

    def page(self, path: str, html: str, encoding: str = "utf-8", mime: str = "text/html; charset=utf-8") -> str:
        return self.add(path, html.encode(encoding), mime=mime)

    def sequence(self, path: str, *paths: str) -> str:
        """Answers `path` as each of `paths` in turn, then always as the last."""
        turns = iter(paths[:-1])

        def answer(handler: BaseHTTPRequestHandler) -> None:
            self.routes[next(turns, paths[-1])](handler)

        return self.route(path, answer)

    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(request.path for request in self.requests)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self._active += 1
            self.peak = max(self.peak, self._active)
            self.requests.append(Request(handler.path, dict(handler.headers), time.monotonic()))
        try:
            bare = handler.path.partition("?")[0]
            (self.routes.get(handler.path) or self.routes.get(bare, _missing))(handler)
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True
        finally:
            with self._lock:
                self._active -= 1


def _missing(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(404)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    """A site without routes (every path is 404) for as long as the context lasts."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 20

        def do_GET(self) -> None:
            site.answer(self)

        def do_POST(self) -> None:
            site.answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def drawing(seed: int = 0, width: int = 300, height: int = 280) -> np.ndarray:
    """A smooth random picture, uint8 [height, width, 3]; another seed, another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(rgb: np.ndarray, kind: str = "JPEG", mode: str | None = None, **options: object) -> bytes:
    image = Image.fromarray(rgb)
    buffer = io.BytesIO()
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def photo(seed: int = 0, kind: str = "JPEG") -> bytes:
    """An acceptable picture; another seed, other bytes."""
    return encoded(drawing(seed), kind)


def drip(body: bytes, pause: float, step: int = 1) -> Answer:
    """Sends the headers, then `step` bytes every `pause` seconds."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for at in range(0, len(body), step):
            handler.wfile.write(body[at : at + step])
            time.sleep(pause)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body without a length that never ends."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def promising(body: bytes, length: int) -> Answer:
    """Says that the body has `length` bytes, whatever it has, and hangs up."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True
