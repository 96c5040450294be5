"""The thresholds that crops and pairs were judged by, as their tables' metadata have them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from curate.pipeline.core.errors import CurateError
from curate.pipeline.faces.config import CropRules, domain_rules
from curate.pipeline.faces.criteria import Criterion, crop_criteria, face_criteria
from curate.pipeline.tables import manifest

_PAIR_KEYS: Mapping[str, tuple[str, str]] = {  # column -> the reason that it refuses by, and its key in the section
    "article_shown": ("blank_article", "min_shown"),
    "human_shown": ("blank_human", "min_shown"),
    "hair": ("back_view", "max_hair"),
    "border": ("busy_article", "min_border"),
    "aspect": ("aspect", "aspect"),
    "agreement": ("colours_differ", "min_agreement"),
    "others": ("other_clothes", "max_others"),
    "worn_at": ("worn_at", "worn_at"),
}


class Threshold(NamedTuple):
    """The range of a column outside of which a row is refused, and the key of params.yaml that says it."""

    reason: str
    column: str
    key: str
    low: float
    high: float

    def broken_by(self, value: float | None) -> bool:
        return value is not None and not self.low <= value <= self.high

    def words(self, value: float) -> str:
        """How `value` breaks it."""
        side, bound = ("below", self.low) if value < self.low else ("above", self.high)
        return f"{self.column} {value:.3g}, {side} {self.key} {bound:.4g}"

    def bounds(self) -> Iterator[float]:
        """The ends of the range that can refuse something: a least share of 0 or a largest of 1 are no thresholds."""
        name = self.key.partition(".")[2]
        off = 0.0 if name.startswith("min_") else 1.0 if name.startswith("max_") else None
        yield from (bound for bound in (self.low, self.high) if math.isfinite(bound) and bound != off)


class Thresholds:
    """Those of the tables below a root; none of a table that does not say."""

    def __init__(self, root: Path) -> None:
        self._scrape, self._crop, self._pairs = (
            _section(table, root) for table in (manifest.IMAGES, manifest.CROPS, manifest.PAIRS)
        )
        self._by_domain: dict[str, list[Threshold]] = {}

    def of_images(self) -> Iterator[Threshold]:
        """The one on `side`, the shorter side of an image in px."""
        if isinstance(least := self._scrape.get("min_side"), int):
            yield Threshold("too_small", "side", "scrape.min_side", float(least), math.inf)

    def of_crops(self, domain: str) -> list[Threshold]:
        """In the order in which they are asked."""
        if domain not in self._by_domain:
            try:
                rules = domain_rules(self._crop, domain) if self._crop else None
            except CurateError:  # written by another version, whose keys have changed since
                rules = None
            self._by_domain[domain] = list(_crop_limits(rules)) if rules else []
        return self._by_domain[domain]

    def of_pairs(self) -> Iterator[Threshold]:
        """In the order in which they are asked."""
        for column, (reason, key) in _PAIR_KEYS.items():
            said = self._pairs.get(key)
            if isinstance(said, list | tuple) and len(said) == 2:
                yield Threshold(reason, column, f"pairs.{key}", *map(float, said))
            elif isinstance(said, int | float):
                low, high = (float(said), math.inf) if key.startswith("min_") else (-math.inf, float(said))
                yield Threshold(reason, column, f"pairs.{key}", low, high)


def _crop_limits(rules: CropRules) -> Iterator[Threshold]:
    for make in (face_criteria, crop_criteria):
        yield from (_limit(check) for check in make(rules))


def _limit(check: Criterion) -> Threshold:
    return Threshold(check.reason, check.column, f"crop.{check.key}", check.low, check.high)


def _section(table: manifest.Table, root: Path) -> dict[str, Any]:
    """The section of params.yaml that `table` was made by."""
    if not manifest.exists(table, root):
        return {}
    found = manifest.meta(table, root).get("section", {})
    return found if isinstance(found, dict) else {}
