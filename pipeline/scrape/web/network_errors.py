"""What an exchange failed of, in a few words for a person instead of a library's own."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError

OFFLINE = ("cannot be found", "cannot be reached")  # how a failure ends that having no network would explain
_NOBODY = {
    errno.ECONNREFUSED: "refuses connections",
    errno.ENETUNREACH: "cannot be reached",
    errno.EHOSTUNREACH: "cannot be reached",
    errno.ENETDOWN: "cannot be reached",
    errno.EADDRNOTAVAIL: "cannot be reached",
    errno.ETIMEDOUT: "does not answer",
}


class NetworkFailure(NamedTuple):
    """`sent`: whether a request can have left this machine. `unknown`: the name of the host is none, or nobody says."""

    text: str
    sent: bool
    unknown: bool = False


def explained(error: BaseException, host: str) -> NetworkFailure:
    """What `error`, met in an exchange with `host`, comes from."""
    for cause in _causes(error):
        if isinstance(cause, NameResolutionError | socket.gaierror):
            code = next((c.errno for c in _causes(cause) if isinstance(c, socket.gaierror)), None)
            return NetworkFailure(f"{host} cannot be found", sent=False, unknown=code != socket.EAI_AGAIN)
        if isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError):
            return NetworkFailure(f"{host} does not answer", sent=False)
        if isinstance(cause, ReadTimeoutError):
            return NetworkFailure(f"{host} fell silent", sent=True)
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "it failed"
            return NetworkFailure(f"{host}: no safe connection: {why}", sent=False)
        if isinstance(cause, OSError) and cause.errno in _NOBODY:
            return NetworkFailure(f"{host} {_NOBODY[cause.errno]}", sent=False)
        if isinstance(cause, ConnectionError):
            return NetworkFailure(f"{host} cut the connection", sent=True)
    return NetworkFailure(f"{host}: {_brief(error)}", sent=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and every error wrapped in it: the libraries keep them as causes, contexts, reasons and arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _brief(error: BaseException) -> str:
    """The error's own words without the objects and addresses that it quotes."""
    text = re.sub(r"<[^>]*>|\b\w+\([^()]*\):?", "", str(error))
    return " ".join(text.split())[:80].strip(" ('\",:") or type(error).__name__
