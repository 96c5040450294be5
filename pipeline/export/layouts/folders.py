"""trainA, trainB, testA, testB: the folders that CycleGAN and its many descendants read, with valA and valB beside.

Pairs stand in them under equal names: the article in A, the human in B.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core.errors import UsageError
from curate.pipeline.export.config import Export
from curate.pipeline.export.export_set import ExportItem, ExportSet, put


class Folders:
    """Two domains side by side, or the two pictures of each pair."""

    def __init__(self, goods: ExportSet, section: Export) -> None:
        """Raises UsageError for crops of another number of domains than two."""
        if not goods.is_pairs and len(goods.domains) != 2:
            raise UsageError(
                f"folders: A and B are two domains, and here are {len(goods.domains)}: {', '.join(goods.domains)}",
                "name them, A first: --domain NAME --domain NAME",
            )
        self.goods, self.link = goods, section.link
        self.names = [f"{split}{side}" for split in goods.splits for side in "AB"]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout."""
        for name in self.names:
            (out / name).mkdir(parents=True, exist_ok=True)
        for split in self.goods.splits:
            for item in self.goods.items(split):
                sides = "AB" if self.goods.is_pairs else "AB"[self.goods.domains.index(item.domain)]
                for side, path in zip(sides, item.pictures, strict=True):
                    put(self.goods, path, out / f"{split}{side}" / item.file, link=self.link)
                yield item, f"{split}{sides[0]}/{item.file}"
