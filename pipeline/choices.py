"""The sections of params.yaml on choosing: what is kept of each domain, and how a set is handed to others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pipeline.section import Positive, Section


class Select(Section, frozen=True, kw_only=True):
    """The best of each domain, balanced over poses."""

    keep: Positive = 2000  # crops per domain
    yaw: tuple[float, ...] = (-20.0, -7.0, 7.0, 20.0)  # degrees, rising: the edges between bins
    pitch: tuple[float, ...] = (-8.0, 8.0)
    pool: Annotated[float, Meta(ge=1.0)] = 2.0  # times as many of the sharpest, of which the least alike are taken


class Export(Section, frozen=True, kw_only=True):
    """The set in other trainers' layouts."""

    size: Annotated[int, Meta(ge=16, le=4096)] | None = None  # px, side; None: as the crops are
    shard: Positive = 1000  # samples per shard of a WebDataset
    link: bool = False  # hard links instead of copies, where the layout has files
