"""Unsplash is not a source: its terms forbid what this tool is for. The name exists to say so."""

from __future__ import annotations

from collections.abc import Iterator

from curate.pipeline.core.errors import UsageError
from curate.pipeline.scrape.config import Query
from curate.pipeline.scrape.sources import Pages
from curate.pipeline.scrape.sources.candidate import Candidate
from curate.pipeline.scrape.sources.facts import Facts

REFUSAL = (
    "unsplash is not scraped: its licence restricts the use of photographs for machine learning, "
    "and its interface wants them shown from its own servers instead of copied"
)
INSTEAD = "openly licensed photographs: curate scrape --source openverse"

FACTS = Facts(terms="refused", what=REFUSAL, example=INSTEAD.partition(": ")[2])


def search(query: Query, pages: Pages) -> Iterator[Candidate]:
    """Raises UsageError, always."""
    raise UsageError(REFUSAL, INSTEAD)
