"""Every table that the report reads, and single rows of them by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.pipeline.tables import manifest
from curate.pipeline.tables.manifest import ACCEPTED, CROPS, DATASET, DEDUP, IMAGES, PAIRS

Row = Mapping[str, Any]


class Tables:
    """Every table below `root`; one that is not there yet is empty."""

    def __init__(self, root: Path) -> None:
        self.images, self.crops, self.dedup, self.dataset, self.pairs = (
            manifest.read(table, root) if manifest.exists(table, root) else manifest.empty(table)
            for table in (IMAGES, CROPS, DEDUP, DATASET, PAIRS)
        )

    def image(self, image_id: str | None) -> Row | None:
        """The accepted row of images.parquet with these bytes."""
        return _row(self.images, self._images, image_id)

    def crop(self, crop_id: str | None) -> Row | None:
        return _row(self.crops, self._crops, crop_id)

    def copied(self, crop_id: str | None) -> Row | None:
        """A crop's row of dedup.parquet."""
        return _row(self.dedup, self._dedup, crop_id)

    def held(self, crop_id: str | None) -> Row | None:
        """A crop's row of dataset.parquet."""
        return _row(self.dataset, self._dataset, crop_id)

    def pair(self, pair_id: str | None) -> Row | None:
        return _row(self.pairs, self._pairs, pair_id)

    @cached_property
    def _images(self) -> dict[str, int]:
        rows = zip(self.images["image_id"].to_pylist(), self.images["status"].to_pylist(), strict=True)
        return {image_id: at for at, (image_id, status) in enumerate(rows) if image_id and status == ACCEPTED}

    @cached_property
    def _crops(self) -> dict[str, int]:
        return _places(self.crops["crop_id"])

    @cached_property
    def _dedup(self) -> dict[str, int]:
        return _places(self.dedup["crop_id"])

    @cached_property
    def _dataset(self) -> dict[str, int]:
        return _places(self.dataset["crop_id"])

    @cached_property
    def _pairs(self) -> dict[str, int]:
        return _places(self.pairs["pair_id"])


def _places(column: pa.ChunkedArray) -> dict[str, int]:
    return {key: at for at, key in enumerate(column.to_pylist())}


def _row(table: pa.Table, places: Mapping[str, int], key: str | None) -> Row | None:
    at = places.get(key) if key else None
    if at is None:
        return None
    row: Row = table.slice(at, 1).to_pylist()[0]
    return row
