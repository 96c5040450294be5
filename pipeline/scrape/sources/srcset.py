"""The candidates of a srcset attribute."""

from __future__ import annotations

import re
from typing import NamedTuple

MOST = 200  # candidates of one attribute

_URL = re.compile(r"[\s,]*(\S+)")
_MARK = re.compile(r"[,(]")
_DESCRIPTOR = re.compile(r"(\d{1,9}(?:\.\d{1,9})?(?:[eE][+-]?\d)?)([wxh])")


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
    while len(found) < MOST and (match := _URL.match(text, at)):
        url, at = match.group(1), match.end()
        descriptors = ""
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            end = _end_of_descriptors(text, at)
            descriptors, at = text[at:end], end
        if url and (source := _described(url, descriptors.split())) is not None:
            found.append(source)
    return found


def _end_of_descriptors(text: str, at: int) -> int:
    """The next comma that is in no parentheses, or the end; each character is looked at once."""
    while (mark := _MARK.search(text, at)) and mark[0] == "(":
        closed = text.find(")", mark.end())
        if closed < 0:
            return len(text)
        at = closed + 1
    return mark.start() if mark else len(text)


def _described(url: str, descriptors: list[str]) -> Source | None:
    width, density = 0.0, 1.0
    for word in descriptors:
        match = _DESCRIPTOR.fullmatch(word)
        if match is None:
            return None
        if match.group(2) == "w":
            width = float(match.group(1))
        elif match.group(2) == "x":
            density = float(match.group(1))
    return Source(url, width, density)
