"""The candidates of a srcset attribute."""

from __future__ import annotations

import re
from typing import NamedTuple


class Source(NamedTuple):
    """One candidate of a srcset: its address as written, and the width (px) or density that it is said to have."""

    url: str
    width: float
    density: float


def parse_srcset(text: str) -> list[Source]:
    """The candidates of a srcset, as HTML tokenises it: addresses may hold commas, parentheses shield descriptors.

    Candidates with bad descriptors are dropped.
    """
    found: list[Source] = []
    at = 0
    while match := re.compile(r"[\s,]*(\S+)").match(text, at):
        url, at = match.group(1), match.end()
        descriptors = ""
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            end = re.compile(r"(?:\([^)]*\)|[^,(])*").match(text, at)
            assert end is not None, "the pattern matches the empty string"
            descriptors, at = end.group(), end.end()
        if url and (source := _described(url, descriptors.split())) is not None:
            found.append(source)
    return found


def _described(url: str, descriptors: list[str]) -> Source | None:
    width, density = 0.0, 1.0
    for word in descriptors:
        match = re.fullmatch(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([wxh])", word)
        if match is None:
            return None
        if match.group(2) == "w":
            width = float(match.group(1))
        elif match.group(2) == "x":
            density = float(match.group(1))
    return Source(url, width, density)
