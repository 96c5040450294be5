"""The section crop: the rules of faces.config, overridden per domain, and how crops are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from curate.pipeline.core.config import NonNegative, Positive
from curate.pipeline.faces.config import CropRules, domain_rules


class Crop(CropRules, frozen=True, kw_only=True):
    """Detecting, aligning and measuring faces; `domains` overrides any key for one domain."""

    # One domain's own rules, and how crops are stored
    domains: Mapping[str, Mapping[str, Any]] = {}  # any key above, for one domain's images: {anime: {detector: anime}}
    shard_above: NonNegative = 50_000  # accepted crops; more of them are packed into tar shards
    shard_size: Positive = 1000  # crops in one shard

    def rules(self, domain: str) -> CropRules:
        """The rules for `domain`: this section with that domain's overrides. Raises UsageError for a bad one."""
        return domain_rules(asdict(self), domain)
