"""The section export: how a set is handed to other trainers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from curate.pipeline.core.config import Positive, Section


class Export(Section, frozen=True, kw_only=True):
    """The set in other trainers' layouts."""

    size: Annotated[int, Meta(ge=16, le=4096)] | None = None  # px, side; None: as the crops are
    shard: Positive = 1000  # samples per shard of a WebDataset
    link: bool = False  # hard links instead of copies, where the layout has files
