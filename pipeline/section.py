"""What every section of params.yaml is: a frozen struct without unknown keys, and the types its numbers come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]
NonNegative = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, Meta(ge=0.0)]
Measure = Annotated[float, Meta(ge=0.0)]  # of anything that has no negative values


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: immutable, keyword-only, no unknown keys."""

    FOLLOWS: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
    """Defaults that follow from another key: {"preset": {"hair": {"ema": 0.999}}}. What is written down goes first."""
