"""Failures of the network in a few words, whatever the libraries wrap them in."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest
import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from curate.pipeline.scrape.web.network_errors import NetworkFailure, explained

DIALLED = HTTPConnection("shop.test")
POOL = requests.adapters.HTTPAdapter().poolmanager.connection_from_host("shop.test")


def wrapped(error: Exception) -> requests.ConnectionError:
    """As requests raises what urllib3 gave up on."""
    return requests.ConnectionError(MaxRetryError(POOL, "/a/path?with=a&query", error))


def unknown(code: int) -> NameResolutionError:
    error = NameResolutionError("shop.test", DIALLED, cause := socket.gaierror(code, "in the system's words"))
    error.__cause__ = cause
    return error


def refused(code: int) -> NewConnectionError:
    error = NewConnectionError(DIALLED, "it failed")
    error.__cause__ = OSError(code, "in the system's words")
    return error


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            unknown(socket.EAI_NONAME),
            NetworkFailure("shop.test cannot be found", sent=False, unknown=True),
        ),
        (
            unknown(socket.EAI_AGAIN),
            NetworkFailure("shop.test cannot be found", sent=False),
        ),
        (refused(errno.ECONNREFUSED), NetworkFailure("shop.test refuses connections", sent=False)),
        (refused(errno.ENETUNREACH), NetworkFailure("shop.test cannot be reached", sent=False)),
        (ConnectTimeoutError(DIALLED, "10 s"), NetworkFailure("shop.test does not answer", sent=False)),
        (
            ssl.SSLError(1, "CERTIFICATE_VERIFY_FAILED"),
            NetworkFailure("shop.test: no safe connection: it failed", sent=False),
        ),
        (
            ProtocolError("aborted", ConnectionResetError(104, "reset")),
            NetworkFailure("shop.test cut the connection", True),
        ),
    ],
)
def test_a_failure_in_a_few_words(error: Exception, failure: NetworkFailure) -> None:
    assert explained(wrapped(error), "shop.test") == failure


def test_an_error_that_nobody_foresaw_is_short() -> None:
    failure = explained(requests.RequestException("pool(host='a', port=443): <object at 0x1> " + 99 * "long "), "a")
    assert failure.sent
    assert len(failure.text) < 100
    assert "0x1" not in failure.text
