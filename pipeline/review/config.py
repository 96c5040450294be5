"""The section select: what is kept of each domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from curate.pipeline.core.config import Positive, Section


class Select(Section, frozen=True, kw_only=True):
    """The best of each domain, balanced over poses."""

    keep: Positive = 2000  # crops per domain
    yaw: tuple[float, ...] = (-20.0, -7.0, 7.0, 20.0)  # degrees, rising: the edges between bins
    pitch: tuple[float, ...] = (-8.0, 8.0)  # the same for nodding
    only: Mapping[str, tuple[float, float]] = {}  # {hair_hue: [190, 260]}: keys of sort, lowest and highest that stay
    pool: Annotated[float, Meta(ge=1.0)] = 2.0  # times as many of the sharpest, of which the least alike are taken
