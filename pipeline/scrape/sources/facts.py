"""What is known about a source beyond the shape of its answers: its terms, its key, its limits. Numbers are defaults.

Sites change their limits; whoever knows better sets them in params.yaml, under scrape.sources.<name>.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from curate.pipeline.core.config import NonNegative, Positive, Seconds, Section


class Limits(Section, frozen=True, kw_only=True):
    """How much a source may be asked for: what scrape.sources.<name> may set."""

    page_size: Positive = 50  # results per request
    depth: Positive | None = None  # results of one query that can be reached; None: no end
    per_run: Positive | None = None  # results of one query that are taken; None: all of them
    daily: Positive | None = None  # requests per day of UTC, counted over all runs in this folder
    delay: Seconds = 1.0  # between two requests
    max_side: Positive | None = None  # px, the longer side of the rendition to ask for; None: the largest there is
    text: NonNegative = 0  # characters of a query that are looked at; 0: all


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One source's row of `curate sources`."""

    terms: Literal["open", "platform", "unknown", "own", "refused"]
    what: str
    example: str
    base: str = ""  # scheme and host that it is asked at
    key: Literal["none", "optional", "required"] = "none"
    key_from: str = ""  # where a person gets one
    limits: Limits = field(default_factory=Limits)
    limits_with_key: Limits | None = None
    said: str = ""  # the site's own limits, in words
    gated: bool = False  # off unless scrape.allow_scrape_source
    keywords: bool = True  # wants a query
