"""The section stats: the funnel and the report."""

from __future__ import annotations

from curate.pipeline.core.config import Positive, Section


class Stats(Section, frozen=True, kw_only=True):
    """The funnel and the report."""

    per_sheet: Positive = 40  # pictures on a contact sheet
