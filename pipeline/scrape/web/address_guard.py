"""Which network addresses may be dialled: the guard against requests that reach inside a private network (SSRF).

A name is resolved once and the addresses it gave are judged; a vetted one is dialled and the peer compared. A check of
the URL's text, or a second look-up after the check, would leave a hole.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from curate.pipeline.core.errors import UsageError

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[tuple[str, int], float | None, Sequence[tuple[Any, ...]]], socket.socket]

PORTS = frozenset({80, 443, 8080, 8443})

# Python's is_global calls several of these global though each carries, or relays to, an IPv4 address.
_TUNNELS = tuple(
    ipaddress.ip_network(block)
    for block in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "192.0.0.0/24", "192.88.99.0/24")
)


class RefusedAddressError(Exception):
    """Nothing that the name resolves to may be dialled. Not an OSError, so that no layer below retries it."""


def is_public(address: Address) -> bool:
    """Whether `address` is an ordinary place on the internet: global, unicast, no relay into another network."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast and not any(address in block for block in _TUNNELS)


@dataclass(frozen=True)
class Permit:
    """One --allow-net: a host name or a block of addresses, at one port or at any."""

    host: str | None
    block: IPv4Network | IPv6Network | None
    port: int | None

    def covers(self, host: str, address: Address, port: int) -> bool:
        """Whether it allows dialling `address`:`port` on behalf of `host`."""
        if self.port not in {None, port}:
            return False
        return self.host == host if self.block is None else address in self.block


def parse_permit(text: str) -> Permit:
    """HOST, HOST:PORT, CIDR, ADDRESS or ADDRESS:PORT (IPv6 in brackets with a port). Raises UsageError."""
    match = re.fullmatch(
        r"\[(?P<v6>[^\]]+)\](?::(?P<p6>\d+))?|(?P<host>[^:\s]+)(?::(?P<port>\d+))?|(?P<bare>\S+)", text
    )
    parts = match.groupdict() if match else {}
    host = parts.get("v6") or parts.get("host") or parts.get("bare") or ""
    digits = parts.get("p6") or parts.get("port")
    port = int(digits) if digits else None
    if port is not None and not 0 < port < 65536:
        host = ""
    try:
        return Permit(None, ipaddress.ip_network(host), port)
    except ValueError:
        pass
    if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", host, re.IGNORECASE) or "/" in host:
        raise UsageError(f"--allow-net: not a host, address or CIDR: {text!r}", "like: --allow-net 127.0.0.1:8000")
    return Permit(host.lower(), None, port)


def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses of `host`, each once, in the system's order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect_by_system(
    address: tuple[str, int], timeout: float | None, options: Sequence[tuple[Any, ...]]
) -> socket.socket:
    """A TCP connection to a numeric address."""
    connection = socket.create_connection(address, timeout)
    for option in options:
        connection.setsockopt(*option)
    return connection


class Guard:
    """Opens connections, to permitted addresses only.

    `permits` widen the rule, `dial` sends a host to another address as curl's --connect-to does. `resolve` and
    `connect` are replaceable, so that tests can record them without dialling.
    """

    def __init__(
        self,
        permits: Sequence[Permit] = (),
        dial: Mapping[str, tuple[str, int]] | None = None,
        resolve: Resolve = resolve_by_system,
        connect: Connect = connect_by_system,
    ) -> None:
        self._permits = tuple(permits)
        self._dial = dict(dial or {})
        self._resolve = resolve
        self._connect = connect

    @property
    def widened(self) -> bool:
        """Whether more than the public web may be dialled: a test's server, an intranet."""
        return bool(self._permits or self._dial)

    def open(
        self, host: str, port: int, timeout: float | None, options: Sequence[tuple[Any, ...]] = ()
    ) -> socket.socket:
        """A connection for `host`:`port`. Raises RefusedAddressError, or OSError when nobody answers."""
        host = host.strip("[]").lower().rstrip(".")
        if host in self._dial:
            return self._connect(self._dial[host], timeout, options)
        allowed = [a for a in self._resolve(host, port) if self._may(host, a, port)]
        if not allowed:
            raise RefusedAddressError(f"{host}:{port} leads to an address outside the public web")
        failure: OSError | None = None
        for address in allowed:
            try:
                connection = self._connect((address, port), timeout, options)
            except OSError as error:
                failure = error
                continue
            if _same(connection.getpeername()[0], address):
                return connection
            connection.close()
            raise RefusedAddressError(f"{host}:{port}: the peer is not the address that was dialled")
        assert failure is not None
        raise failure

    def _may(self, host: str, text: str, port: int) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(permit.covers(host, address, port) for permit in self._permits):
            return True
        return port in PORTS and is_public(address)


def _same(a: str, b: str) -> bool:
    return ipaddress.ip_address(a.partition("%")[0]) == ipaddress.ip_address(b.partition("%")[0])
