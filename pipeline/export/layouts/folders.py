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

    def __init__(self, export_set: ExportSet, section: Export) -> None:
        """Raises UsageError for crops of another number of domains than two."""
        names = export_set.domains
        if not export_set.is_pairs and len(names) != 2:
            raise UsageError(
                f"folders: A and B are two domains, and here are {len(names)}: {', '.join(names)}",
                "name them, A first: --domain NAME --domain NAME",
            )
        self.export_set, self.link = export_set, section.link
        self.names = [f"{split}{side}" for split in export_set.splits for side in "AB"]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout."""
        for name in self.names:
            (out / name).mkdir(parents=True, exist_ok=True)
        for split in self.export_set.splits:
            for item in self.export_set.items(split):
                sides = "AB" if self.export_set.is_pairs else "AB"[self.export_set.domains.index(item.domain)]
                for side, path in zip(sides, item.pictures, strict=True):
                    put(self.export_set, path, out / f"{split}{side}" / item.file, link=self.link)
                yield item, f"{split}{sides[0]}/{item.file}"
