"""What a site says of training: Content-Signal and Content-Usage, in robots.txt and in headers, licences by RSL, and
crawlers for training that its robots.txt shuts out by name.

Silence grants; a statement that is not understood refuses. Preferences hold for the group of robots.txt that is ours,
or the one for everybody, and for the most specific path that they name, as Allow and Disallow do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from protego import Protego

from curate.pipeline.scrape.web.optout import TOKEN

# Who collects pictures for training, for others or for themselves: what we do, too. Crawlers that answer questions or
# build one company's models say nothing about us.
TRAINERS = ("img2dataset", "ccbot", "laiondownloader", "laion-huggingface-processor")

# The preferences that training generative models falls under, the most specific first: of several the first counts.
_CATEGORIES = {
    "content-signal": ("ai-train",),
    "content-usage": ("train-genai", "genai", "train-ai", "ai", "tdm", "bots", "all"),
}
_NAMES = {"content-signal": "Content-Signal", "content-usage": "Content-Usage"}
_GRANTED = frozenset({"yes", "y", "1", "true"})
_STATED = re.compile(r"(?<![a-z0-9_.*-])([a-z][a-z0-9_.*-]*)\s*=\s*[\"'?]*([a-z0-9]*)", re.IGNORECASE)
RSL = "application/rsl+xml"
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[a-z*]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))?)*)", re.IGNORECASE)


class Pattern:
    """A path of robots.txt, with * and $."""

    def __init__(self, text: str) -> None:
        self.text = text if text.startswith(("/", "*")) else f"/{text}"
        self._parser = Protego.parse(f"User-agent: *\nDisallow: {self.text}")

    def covers(self, url: str) -> bool:
        """Whether `url` lies below it."""
        return not self._parser.can_fetch(url, "*")


@dataclass(frozen=True)
class Preference:
    """One statement about training in robots.txt."""

    name: str  # Content-Signal or Content-Usage
    pattern: Pattern
    grants: bool


@dataclass(frozen=True)
class Signals:
    """What one robots.txt says of training."""

    shut_out: tuple[tuple[str, Protego], ...] = ()  # the rules for each trainer that it names, unless it names us
    preferences: tuple[Preference, ...] = ()
    licenses: tuple[str, ...] = ()  # addresses of RSL files

    def shuts_out(self, url: str) -> str | None:
        """The trainer that may not have `url`, or None."""
        return next((name for name, rules in self.shut_out if not rules.can_fetch(url, "*")), None)

    def refusal(self, url: str) -> str | None:
        """The preference by which `url` is not for training, or None."""
        for name in _NAMES.values():
            found = [one for one in self.preferences if one.name == name and one.pattern.covers(url)]
            longest = max((len(one.pattern.text) for one in found), default=0)
            if any(not one.grants for one in found if len(one.pattern.text) == longest):
                return name
        return None


NONE = Signals()


def parse(text: str) -> Signals:
    """What the robots.txt `text` says."""
    groups: dict[str, list[tuple[str, str]]] = {}
    licenses: list[str] = []
    agents: list[str] = []
    open_to_more = False  # whether a further user-agent line joins the group
    for name, value in _lines(text):
        if name == "user-agent":
            agents = [*(agents if open_to_more else []), value.partition("/")[0].strip().lower()]
            open_to_more = True
            groups.setdefault(agents[-1], [])
        elif name == "license":
            licenses.append(value)
        elif name != "sitemap":
            open_to_more = False
            for agent in dict.fromkeys(agents or ["*"] if name in _NAMES else agents):
                groups.setdefault(agent, []).append((name, value))
    ours = groups.get(TOKEN, groups.get("*", []))
    return Signals(
        () if TOKEN in groups else tuple((name, _rules(groups[name])) for name in TRAINERS if name in groups),
        tuple(_preferences(ours)),
        tuple(licenses),
    )


def refused_by_headers(signal: Iterable[str], usage: Iterable[str]) -> str | None:
    """The header by which an answer is not for training, or None; one string for each line of it."""
    for name, lines in (("content-signal", signal), ("content-usage", usage)):
        if _training(name, ", ".join(lines)) is False:
            return _NAMES[name]
    return None


def rsl_links(links: Iterable[str]) -> Iterator[str]:
    """The addresses of RSL licences in the lines of Link headers."""
    for line in links:
        for address, parameters in _LINK.findall(line):
            given = {
                name.strip().lower(): value.strip().strip('"').lower()
                for name, _, value in (part.partition("=") for part in parameters.split(";"))
            }
            if "license" in given.get("rel", "").split() and given.get("type") == RSL:
                yield address


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def _rules(lines: Iterable[tuple[str, str]]) -> Protego:
    return Protego.parse("\n".join(["User-agent: *", *(f"{n}: {v}" for n, v in lines if n in {"allow", "disallow"})]))


def _preferences(lines: Iterable[tuple[str, str]]) -> Iterator[Preference]:
    for name, value in lines:
        if name in _NAMES:
            path, _, said = value.partition(" ") if value.startswith(("/", "*")) else ("/", "", value)
            grants = _training(name, said)
            if grants is not None:
                yield Preference(_NAMES[name], Pattern(path), grants)


def _training(name: str, said: str) -> bool | None:
    """Whether the preferences `said` grant training; None where they say nothing of it."""
    stated: dict[str, bool] = {}
    for key, value in _STATED.findall(said):
        stated[key.lower()] = stated.get(key.lower(), True) and value.lower() in _GRANTED
    return next((stated[category] for category in _CATEGORIES[name] if category in stated), None)
