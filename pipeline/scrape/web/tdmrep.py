"""/.well-known/tdmrep.json: rights reserved against text and data mining for parts of a site (W3C TDMRep)."""

from __future__ import annotations

from collections.abc import Mapping

from protego import Protego

from curate.pipeline.scrape.web.json_reader import read_json

PATH = "/.well-known/tdmrep.json"
MAX_BYTES = 500 * 1024


class Reservations:
    """Which paths of an origin are reserved. Patterns are those of robots.txt; the most specific one decides."""

    def __init__(self, entries: Mapping[str, bool]) -> None:
        rules = [f"{'Disallow' if reserved else 'Allow'}: {pattern}" for pattern, reserved in entries.items()]
        self._parser = Protego.parse("\n".join(["User-agent: *", *rules])) if any(entries.values()) else None

    def cover(self, url: str) -> bool:
        """Whether the rights in what stands at `url` are reserved."""
        return self._parser is not None and not self._parser.can_fetch(url, "*")


NONE = Reservations({})


def parse(body: bytes) -> Reservations:
    """The reservations in a tdmrep.json; a file that is none reserves nothing."""
    try:
        entries = read_json(body[:MAX_BYTES].decode("utf-8-sig", "replace"))
    except ValueError:
        return NONE
    found: dict[str, bool] = {}
    for entry in entries if isinstance(entries, list) else []:
        pattern = entry.get("location") if isinstance(entry, dict) else None
        if isinstance(pattern, str) and pattern.strip() and pattern.isprintable():
            pattern = pattern.strip()
            pattern = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
            found[pattern] = str(entry.get("tdm-reservation")).strip() == "1"
    return Reservations(found)
