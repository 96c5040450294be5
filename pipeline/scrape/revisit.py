"""What of the past a run asks for again, where an ordinary one takes the journal's word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.scrape.outcome import PASSING
from curate.pipeline.tables import manifest

EVERY = "all"


@dataclass(frozen=True)
class Revisit:
    """`refresh`: ask whether stored images have changed. `retry`: the reasons whose failures are tried anew."""

    refresh: bool = False
    retry: frozenset[str] = frozenset()


NOTHING = Revisit()


def retried(names: Iterable[str]) -> frozenset[str]:
    """The reasons that --retry-failed names; "all" stands for those that another day may not give again.

    Raises UsageError for a reason that is not in the images table's list.
    """
    reasons: set[str] = set()
    known = manifest.IMAGES.reasons - {manifest.OK}
    for name in names:
        if name != EVERY and name not in known:
            raise UsageError(
                f"--retry-failed: there is no reason '{name}'{nearest(name, known)}",
                f"one of: all {' '.join(sorted(known))}",
            )
        reasons |= PASSING if name == EVERY else {name}
    return frozenset(reasons)
