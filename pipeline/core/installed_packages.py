"""The packages that a distribution brings along on this machine: versions, licences, who requires whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata

_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_LONGEST = 80  # characters of a licence's name; more is its text


@dataclass(frozen=True)
class Package:
    """An installed distribution. `expression` says whether `license` is one of SPDX's; "" where none is stated."""

    name: str
    version: str
    license: str
    expression: bool
    requires: tuple[str, ...]  # names, of those that are installed


def installed(root: str, extras: Iterable[str] = (), beside: Iterable[str] = ()) -> list[Package]:
    """The distribution `root`, and then by name what it requires with `extras`, theirs, and those of `beside`.

    What is not installed, as markers and other machines have it, is left out. Of `beside` only they themselves are
    taken. Raises PackageNotFoundError where `root` is not installed.
    """
    found: dict[str, Package] = {}
    asked: set[tuple[str, frozenset[str]]] = set()
    waiting = [(normal(root), frozenset(extras))]
    metadata.distribution(root)
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in asked or (there := _distribution(name)) is None:
            continue
        asked.add((name, wanted))
        required = list(_required(there, wanted))
        waiting += required
        before = found[name].requires if name in found else ()
        found[name] = _package(name, there, {*before, *(one for one, _ in required if _distribution(one))})
    for name in map(normal, beside):
        if name not in found and (there := _distribution(name)) is not None:
            found[name] = _package(name, there, ())
    return [found.pop(normal(root)), *(found[name] for name in sorted(found))]


def normal(name: str) -> str:
    """`name` as package indexes compare names."""
    return re.sub("[-_.]+", "-", name).lower()


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _required(there: metadata.Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """The names, and the extras of theirs, that the distribution requires when it is wanted with `extras`."""
    for line in there.requires or ():
        requirement, _, marker = line.partition(";")
        named = _REQUIREMENT.match(requirement)
        of = {normal(extra) for extra in _EXTRA.findall(marker)}
        if named and (not of or of & {normal(extra) for extra in extras}):
            yield normal(named[1]), frozenset(filter(None, re.split(r"[,\s]+", named[2] or "")))


def _package(name: str, there: metadata.Distribution, requires: Iterable[str]) -> Package:
    said, expression = _license(there)
    return Package(name, there.version, said, expression, tuple(sorted(requires)))


def _license(there: metadata.Distribution) -> tuple[str, bool]:
    def said(field: str) -> list[str]:
        return [" ".join(text.split()) for text in there.metadata.get_all(field) or ()]

    if expression := said("License-Expression"):
        return expression[0], True
    named = [line.rpartition(" :: ")[2] for line in said("Classifier") if line.startswith("License ::")]
    stated = "".join(said("License")[:1])
    if stated and len(stated) <= _LONGEST and stated.upper() != "UNKNOWN":
        return stated, False
    return " / ".join(named), False
