"""RSL (Really Simple Licensing): whether a licence file grants training to everybody, free of charge.

What wants a payment or a registration, holds for some users or countries, or cannot be read, does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from curate.pipeline.scrape.web.signals import Pattern
from curate.pipeline.scrape.web.url import parts_of

MAX_BYTES = 500 * 1024
_TRAINING = frozenset("all ai-all ai-train train-ai train-genai".split())


class RslFile:
    """The contents that a file speaks of, each with whether training on it is granted."""

    def __init__(self, contents: list[tuple[str, Pattern, bool]], readable: bool = True) -> None:
        self._contents = contents  # host ("" for the file's own), path, granted
        self._readable = readable

    def grants(self, url: str) -> bool | None:
        """Whether it grants training on what stands at `url`; None where it does not speak of that."""
        if not self._readable:
            return False
        host = parts_of(url).hostname
        found = [(len(p.text), granted) for name, p, granted in self._contents if name in {"", host} and p.covers(url)]
        longest = max((length for length, _ in found), default=0)
        return all(granted for length, granted in found if length == longest) if found else None


UNREADABLE = RslFile([], readable=False)


def parse(body: bytes) -> RslFile:
    """The licence in an RSL file; one that is none grants nothing."""
    from lxml import etree  # few sites have one

    try:
        safe = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, recover=False)
        root = etree.fromstring(body[:MAX_BYTES], safe)
    except (etree.XMLSyntaxError, ValueError):
        return UNREADABLE
    found = []
    for content in _named(root.iter(), "content"):
        parts = parts_of(str(content.get("url") or "/"))
        if not any(parts):
            continue  # nobody knows what it speaks of
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        granted = not content.get("server") and any(_grants(one) for one in _named(content, "license"))
        found.append((parts.hostname or "", Pattern(path), granted))
    return RslFile(found) if found else UNREADABLE


def _grants(terms_of_use: Any) -> bool:
    terms: dict[str, set[str]] = {"permits": set(), "prohibits": set()}
    for kind, usages in terms.items():
        for one in _named(terms_of_use.iter(), kind):
            if (one.get("type") or "usage") != "usage" and kind == "permits":
                return False  # some users, or some countries
            usages.update(re.split(r"[\s,]+", (one.text or "").strip().lower()))
    free = all((one.get("type") or "").strip().lower() == "free" for one in _named(terms_of_use.iter(), "payment"))
    permitted = not terms["permits"] or bool(terms["permits"] & _TRAINING)
    return free and permitted and not terms["prohibits"] & _TRAINING


def _named(elements: Iterable[Any], name: str) -> Iterator[Any]:
    """Those of `elements` that are called `name`, in whichever namespace. An element is the list of its children."""
    return (one for one in elements if isinstance(one.tag, str) and one.tag.rpartition("}")[2] == name)
