"""What may be dialled, tried with a resolver and a dialler that only record."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.web.address_guard import Guard, Permit, RefusedAddressError, is_public, parse_permit


class Line:
    """Stands in for a socket to `peer`."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.closed = False

    def getpeername(self) -> tuple[str, int]:
        return self.peer, 0

    def close(self) -> None:
        self.closed = True


class Network:
    """Resolves names as told, and notes what would have been dialled."""

    def __init__(self, *addresses: str, peer: str | None = None, dead: Sequence[str] = ()) -> None:
        self.addresses = addresses
        self.peer = peer
        self.dead = dead
        self.dialled: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.addresses

    def connect(self, address: tuple[str, int], timeout: float | None, options: Sequence[tuple[Any, ...]]) -> Any:
        self.dialled.append(address)
        if address[0] in self.dead:
            raise ConnectionRefusedError(address)
        return Line(self.peer or address[0])

    def guard(self, *permits: str, dial: dict[str, tuple[str, int]] | None = None) -> Guard:
        return Guard([parse_permit(p) for p in permits], dial, self.resolve, self.connect)


PRIVATE = (
    "127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8 198.18.0.1 "
    "224.0.0.1 240.0.0.1 255.255.255.255 192.88.99.1 ::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 "
    "64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001::1 ::127.0.0.1 2001:db8::1"
).split()


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_not_dialled(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    network = Network(address)
    with pytest.raises(RefusedAddressError):
        network.guard().open("innocent.example", 80, 1.0)
    assert not network.dialled


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_what_is_public_is_dialled(address: str) -> None:
    network = Network(address)
    network.guard().open("fine.example", 443, 1.0)
    assert network.dialled == [(address, 443)]


def test_only_vetted_addresses_of_a_name_are_tried() -> None:
    network = Network("10.0.0.1", "93.184.216.34", "93.184.216.35", dead=["93.184.216.34"])
    network.guard().open("mixed.example", 80, 1.0)
    assert network.dialled == [("93.184.216.34", 80), ("93.184.216.35", 80)]


def test_a_second_look_up_is_never_made() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    network = Network()
    Guard([], None, lambda host, port: next(answers), network.connect).open("rebinding.example", 80, 1.0)
    assert network.dialled == [("93.184.216.34", 80)]


def test_another_peer_than_the_one_dialled_is_refused() -> None:
    network = Network("93.184.216.34", peer="10.0.0.1")
    with pytest.raises(RefusedAddressError, match="peer"):
        network.guard().open("proxied.example", 80, 1.0)


@pytest.mark.parametrize("port", [22, 25, 3306, 6379, 9200])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(RefusedAddressError):
        Network("93.184.216.34").guard().open("fine.example", port, 1.0)


@pytest.mark.parametrize(
    ("permit", "host", "address", "port", "allowed"),
    [
        ("127.0.0.1:8000", "127.0.0.1", "127.0.0.1", 8000, True),
        ("127.0.0.1:8000", "localhost", "127.0.0.1", 8000, True),
        ("127.0.0.1:8000", "127.0.0.1", "127.0.0.1", 8001, False),
        ("127.0.0.1:8000", "127.0.0.1", "127.0.0.2", 8000, False),
        ("127.0.0.1", "x.example", "::ffff:127.0.0.1", 5, True),
        ("10.0.0.0/8", "intranet", "10.9.9.9", 80, True),
        ("10.0.0.0/8", "intranet", "11.9.9.9", 9999, False),
        ("files.intranet", "files.intranet", "10.9.9.9", 80, True),
        ("files.intranet", "other.intranet", "10.9.9.9", 80, False),
        ("[::1]:8000", "x.example", "::1", 8000, True),
        ("::1", "x.example", "::1", 1234, True),
        ("fd00::/8", "x.example", "fd12::1", 80, True),
    ],
)
def test_permits_widen_the_rule_as_far_as_they_say(
    permit: str, host: str, address: str, port: int, allowed: bool
) -> None:
    network = Network(address)
    if allowed:
        network.guard(permit).open(host, port, 1.0)
        assert len(network.dialled) == 1
    else:
        with pytest.raises(RefusedAddressError):
            network.guard(permit).open(host, port, 1.0)


def test_a_mapped_host_is_not_resolved() -> None:
    network = Network()
    network.guard(dial={"demo.curate.test": ("127.0.0.1", 4321)}).open("DEMO.curate.test", 80, 1.0)
    assert network.dialled == [("127.0.0.1", 4321)]


@pytest.mark.parametrize("text", ["", "a b", "10.0.0.0/33", "host:99999", "http://x/", "-x"])
def test_a_permit_that_is_none_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="--allow-net"):
        parse_permit(text)


def test_permits_are_read_once() -> None:
    assert parse_permit("Files.Intranet:80") == Permit("files.intranet", None, 80)


@pytest.mark.parametrize("spelling", ["localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1"])
def test_other_spellings_of_loopback_are_no_way_around(spelling: str) -> None:
    network = Network()
    with pytest.raises((RefusedAddressError, socket.gaierror)):
        Guard([], None, connect=network.connect).open(spelling, 80, 1.0)
    assert not network.dialled
