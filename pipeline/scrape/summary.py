"""How a scrape went, host by host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from curate.pipeline.scrape.web.url import parts_of
from curate.pipeline.tables import manifest


@dataclass(frozen=True)
class Host:
    """One host's share of the table, and what it was asked in this run."""

    candidates: int
    accepted: int
    bytes: int  # of its accepted images
    requests: int  # in this run, robots.txt and pages included
    reasons: Mapping[str, int]  # of its refusals


@dataclass(frozen=True)
class Collected(manifest.Summary):
    """The images table's summary, with its hosts: those with most candidates first."""

    bytes: int
    requests: int
    hosts: Mapping[str, Host]
    unsupported: Mapping[str, int]  # pictures in formats that are not read, by format and what to do with it


class Tally:
    """What became of the rows so far, host by host."""

    def __init__(self) -> None:
        self.reasons: dict[str, Counter[str]] = {}
        self.size: Counter[str] = Counter()  # bytes accepted
        self.unsupported: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(count.total() for count in self.reasons.values())

    def count(self, url: str | None, reason: str, size: int | None, unsupported: str | None = None) -> None:
        """Counts one row; `unsupported` names its format and what to do, where it is not read."""
        host = _host(url)
        self.reasons.setdefault(host, Counter())[reason] += 1
        self.size[host] += (size or 0) if reason == manifest.OK else 0
        if unsupported is not None:
            self.unsupported[unsupported] += 1


def collected(tally: Tally, asked: Mapping[str, int]) -> Collected:
    """Sums up a run; `asked`: its requests by host and port."""
    reasons, size = tally.reasons, tally.size
    requests: Counter[str] = Counter()
    for key, sent in asked.items():
        requests[_bare(key)] += sent
    hosts = {
        name: Host(count.total(), count[manifest.OK], size[name], requests[name], _refused(count))
        for name in sorted(requests.keys() | reasons.keys())
        if (count := reasons.get(name, Counter())) is not None
    }
    hosts = dict(sorted(hosts.items(), key=lambda item: (-item[1].candidates, item[0])))
    every: Counter[str] = Counter()
    for count in reasons.values():
        every.update(count)
    refused = dict(sorted(_refused(every).items(), key=lambda item: (-item[1], item[0])))
    rows, accepted = every.total(), every[manifest.OK]
    unread = dict(tally.unsupported.most_common())
    return Collected(manifest.IMAGES.name, rows, accepted, refused, size.total(), requests.total(), hosts, unread)


def text(summary: Collected, shown: int = 10) -> str:
    """The hosts for a terminal, the largest first."""
    lines = [f"{summary.requests} requests in this run, {summary.bytes / 1e6:.1f} MB accepted"]
    for name, host in list(summary.hosts.items())[:shown]:
        refused = ", ".join(f"{count} {reason}" for reason, count in host.reasons.items())
        lines.append(
            f"  {name or 'this machine'}: {host.accepted} of {host.candidates} accepted, {host.bytes / 1e6:.1f} MB"
            + (f" ({refused})" if refused else "")
        )
    if len(summary.hosts) > shown:
        lines.append(f"  ... and {len(summary.hosts) - shown} more hosts: --json has them")
    lines += [f"  cannot be read: {count} {kind}" for kind, count in summary.unsupported.items()]
    return "\n".join(lines)


def _refused(count: Counter[str]) -> dict[str, int]:
    return {reason: n for reason, n in count.most_common() if reason != manifest.OK}


def _host(url: str | None) -> str:
    parts = parts_of(url)
    return _bare(f"{(parts.hostname or '')}:{parts.port or ''}")


def _bare(key: str) -> str:
    """A host without the port that goes without saying."""
    name, _, port = key.rpartition(":")
    return name if port in {"", "80", "443"} else key
