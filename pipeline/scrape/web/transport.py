"""requests with its connections opened by a Guard, and a watchdog that ends exchanges which take too long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from curate.pipeline.scrape.web.address_guard import Guard

_TICK = 0.1  # s between two looks at the running exchanges
_GRACE = 15.0  # s before the rate counts
_MIN_RATE = 2048  # bytes/s


@dataclass
class Exchange:
    """One request and its response, as the watchdog sees it."""

    started: float
    deadline: float  # s
    connection: HTTPConnection | None = None
    received: int = 0  # bytes of the body so far
    expired: bool = False

    def overdue(self, now: float) -> bool:
        """Whether it has run past its deadline or, after a grace, is slower than the minimum rate."""
        age = now - self.started
        return age > self.deadline or (age > _GRACE and self.received < _MIN_RATE * (age - _GRACE))


_local = threading.local()  # the exchange that this thread is in the middle of


class Watchdog:
    """Ends overdue exchanges by closing their sockets.

    A timeout between two bytes does not bound a response that drips; only another thread can end a blocked read.
    """

    def __init__(self) -> None:
        self._exchanges: dict[int, Exchange] = {}
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._look, name="watchdog", daemon=True).start()

    @contextlib.contextmanager
    def watch(self, deadline: float) -> Iterator[Exchange]:
        """The exchange that this thread performs within the block, ended after `deadline` seconds."""
        exchange = Exchange(time.monotonic(), deadline)
        _local.exchange = exchange
        with self._changed:
            self._exchanges[id(exchange)] = exchange
            self._changed.notify()
        try:
            yield exchange
        finally:
            _local.exchange = None
            with self._changed:
                del self._exchanges[id(exchange)]

    def close(self) -> None:
        """Ends every exchange, and the watching."""
        with self._changed:
            self._closed = True
            running = list(self._exchanges.values())
            self._changed.notify()
        for exchange in running:
            _end(exchange)

    def _look(self) -> None:
        while True:
            with self._changed:
                while not self._exchanges and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                now = time.monotonic()
                overdue = [e for e in self._exchanges.values() if not e.expired and e.overdue(now)]
            for exchange in overdue:
                _end(exchange)
            time.sleep(_TICK)


def _end(exchange: Exchange) -> None:
    exchange.expired = True
    sock = exchange.connection.sock if exchange.connection else None
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def adapter(guard: Guard, connections: int) -> HTTPAdapter:
    """requests' transport that dials through `guard` alone: no proxies, no retries, no redirects.

    Asked directly and not through a Session, it keeps no cookies and reads no environment, at half the CPU time.
    """
    return _Adapter(guard, connections)


def request(url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> requests.PreparedRequest:
    """A GET for `url`, which is percent-encoded already; a POST where there is a form."""
    made = requests.PreparedRequest()
    made.method, made.url = "GET", url
    made.headers = CaseInsensitiveDict(headers)
    if form:
        made.method, made.body = "POST", urlencode(form).encode()
        made.headers["Content-Type"] = "application/x-www-form-urlencoded"
        made.headers["Content-Length"] = str(len(made.body))
    made.hooks = default_hooks()
    return made


class _Adapter(HTTPAdapter):
    def __init__(self, guard: Guard, connections: int) -> None:
        self._guard = guard
        super().__init__(pool_connections=max(64, connections), pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard)

    # What requests works out anew for each request, from a URL and settings that never change here, is a tenth of all
    # CPU time: proxies, certificates of plain connections, cookies, the encoding of a text.

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        assert request.url is not None, "it was prepared"
        parts = urlsplit(request.url)
        if parts.scheme != "http":
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self.poolmanager.connection_from_host(parts.hostname, parts.port, "http")

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        response = requests.Response()
        assert req.url is not None, "it was prepared"
        response.status_code, response.url, response.raw = resp.status, req.url, resp
        response.headers = CaseInsensitiveDict(resp.headers)
        response.request, response.connection = req, self
        return response


def _pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools with connections that ask `guard` for their sockets."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(self, guard)

        def request(self, *args: Any, **options: Any) -> None:
            _attend(self)
            super().request(*args, **options)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _dial(self, guard)

        def request(self, *args: Any, **options: Any) -> None:
            _attend(self)
            super().request(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _attend(connection: HTTPConnection) -> None:
    exchange: Exchange | None = getattr(_local, "exchange", None)
    if exchange is not None:
        exchange.connection = connection


def _dial(connection: HTTPConnection, guard: Guard) -> socket.socket:
    """urllib3's own errors for a connection that fails; RefusedAddressError passes through it untouched."""
    seconds = connection.timeout if isinstance(connection.timeout, int | float) else None
    port = connection.port or connection.default_port
    try:
        return guard.open(connection.host, port, seconds, tuple(connection.socket_options or ()))
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{connection.host}:{port}: no answer in {seconds} s") from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
