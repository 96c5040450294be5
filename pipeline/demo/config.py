"""The section scrape.demo: how much of the drawn world there is."""

from __future__ import annotations

from curate.pipeline.core.config import NonNegative, Positive, Section


class Demo(Section, frozen=True, kw_only=True):
    """The drawn world that stands in for the web: how much of it there is."""

    seed: int = 7  # another seed, other people and garments
    portraits: Positive = 40  # per hair length
    anime: NonNegative = 24  # drawn faces
    icons: NonNegative = 24  # other drawn faces, in another style: an artist's icons
    garments: NonNegative = 24  # products, two pictures each
