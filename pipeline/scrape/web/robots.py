"""robots.txt by RFC 9309: what a fetched file, or a failure to fetch it, means for an origin.

The client fetches it; here is only what it means. The parser is Protego's.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import Literal

from protego import Protego

from curate.pipeline.scrape.web import signals
from curate.pipeline.scrape.web.optout import TOKEN
from curate.pipeline.scrape.web.origin_cache import FRESH
from curate.pipeline.scrape.web.signals import NONE, Signals

MAX_BYTES = 500 * 1024
_AGENT = re.compile(r"user[- ]?agent\b\s*:?(.*)", re.IGNORECASE)
_RULE = re.compile(r"(?!site-?map|host).+:|(allow|di|crawl|request|visit)", re.IGNORECASE)  # that ends a list of agents
_MANY = 10**9  # seconds, or requests; a number may have any number of digits
_AGENTS = 12  # of one group that are read
LONGEST_DELAY = 60.0  # s; a longer crawl-delay is cut, or one host would hold up the run for hours
ASK_AGAIN = (300.0, 900.0, 3600.0)  # s until an unreachable robots.txt is asked for again

Verdict = Literal["allowed", "robots_denied", "robots_unreachable"]


@dataclass(frozen=True)
class Rules:
    """What one origin lets us do. `parser` None: everything, or with `reachable` False, nothing: `why` not."""

    parser: Protego | None = None
    reachable: bool = True
    signals: Signals = NONE
    why: str = ""
    sent: bool = True  # whether the origin, where it is unreachable, can have had our request

    def verdict(self, url: str) -> Verdict:
        """Whether `url` of this origin may be fetched."""
        if not self.reachable:
            return "robots_unreachable"
        return "allowed" if self.parser is None or self.parser.can_fetch(url, TOKEN) else "robots_denied"

    @property
    def delay(self) -> float:
        """Seconds between two requests that the origin asks for; 0 when it does not say."""
        if self.parser is None:
            return 0.0
        rate = self.parser.request_rate(TOKEN)
        spaced = min(rate.seconds, _MANY) / min(rate.requests, _MANY) if rate else 0.0
        delays = [self.parser.crawl_delay(TOKEN) or 0.0, spaced]
        return min(LONGEST_DELAY, max(delays))


UNREACHABLE = Rules(reachable=False)
NO_RULES = Rules()


def parse(body: bytes, content_type: str) -> Rules:
    """The rules in a robots.txt that was answered with 200; an HTML page in its place holds none."""
    text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
    if "html" in content_type.lower() or re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
        return NO_RULES
    text = _concise(text)
    return Rules(Protego.parse(text), signals=signals.parse(text))


def _concise(text: str) -> str:
    """`text` without most agents that nobody here is called by, and one at least for each group; without versions.

    Ten thousand agents with as many rules would otherwise be read for minutes.
    """
    kept: list[str] = []
    group: set[str] = set()  # what the agents of the group are called that is being read
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if (agent := _AGENT.match(line)) is None:
            if _RULE.match(line):
                group = set()
            kept.append(line)
            continue
        name = agent[1].partition("/")[0].strip().lower()
        bare = name.replace("*", "")
        name = name if TOKEN.startswith(bare) or bare in signals.TRAINERS else "another"
        if name not in group and len(group) < _AGENTS:
            group.add(name)
            kept.append(f"User-agent: {name}")
    return "\n".join(kept)


class RulesCache:
    """The rules of every origin seen in this run, and until when they hold."""

    def __init__(self) -> None:
        self._rules: dict[str, tuple[Rules, float]] = {}
        self._good: dict[str, tuple[Rules, float]] = {}
        self._failures: dict[str, int] = {}
        self._lock = threading.Lock()

    def known(self, origin: str, now: float) -> Rules | None:
        """The rules of `origin` if they are known and hold at `now` (s), else None: they must be fetched."""
        with self._lock:
            rules, until = self._rules.get(origin, (None, 0.0))
            return rules if now < until else None

    def recall(self, origin: str, rules: Rules, until: float) -> None:
        """Takes a good copy of an earlier run that holds until then (s)."""
        with self._lock:
            self._good[origin] = self._rules[origin] = rules, until

    def keep(self, origin: str, rules: Rules, now: float) -> Rules:
        """Remembers what a fetch of `origin`'s robots.txt gave, and returns what holds now.

        A failure is asked again later and later, never kept for good; a good copy of less than a day stands meanwhile.
        """
        with self._lock:
            if rules.reachable:
                self._failures.pop(origin, None)
                self._good[origin] = self._rules[origin] = rules, now + FRESH
                return rules
            failures = self._failures[origin] = self._failures.get(origin, 0) + 1
            good, until = self._good.get(origin, (rules, 0.0))
            held = good if now < until else rules
            self._rules[origin] = held, now + ASK_AGAIN[min(failures, len(ASK_AGAIN)) - 1]
            return held
