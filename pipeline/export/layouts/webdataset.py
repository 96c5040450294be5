"""WebDataset: tar shards of samples, each a picture (or an article and a human), its label and its facts.

    train-000000.tar:  KEY.png KEY.cls KEY.json   or   KEY.article.png KEY.human.png KEY.json

Keys are hashes, so shards in key order are shuffled already. The label in KEY.cls is the domain's number.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.terminal_text import json_text
from curate.pipeline.export.config import Export
from curate.pipeline.export.export_set import ExportItem, ExportSet


class WebDataset:
    """Shards of at most section.shard samples."""

    def __init__(self, export_set: ExportSet, section: Export) -> None:
        self.export_set, self.most = export_set, section.shard
        self.shards = [
            (split, start, f"{split}-{number:06}.tar")
            for split in export_set.splits
            for number, start in enumerate(range(0, export_set.count(split), self.most))
        ]
        self.names = [name for _, _, name in self.shards]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout."""
        for split, start, name in self.shards:
            items = list(self.export_set.items(split, start, self.most))
            if not (out / name).exists():
                with (
                    atomic_write(out / name) as temporary,
                    tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as shard,
                ):
                    for item in items:
                        for extension, data in self._sample(item):
                            _add(shard, f"{item.key}.{extension}", data)
            yield from ((item, f"{name}/{item.key}") for item in items)

    def _sample(self, item: ExportItem) -> Iterator[tuple[str, bytes]]:
        """Extension and content of each file of a sample."""
        for kind, path in zip(self.export_set.kinds, item.pictures, strict=True):
            yield f"{kind}.png" if self.export_set.is_pairs else "png", self.export_set.png(path)
        if not self.export_set.is_pairs:
            yield "cls", str(self.export_set.domains.index(item.domain)).encode()
        yield "json", json_text(item.facts, sort_keys=True).encode()


def _add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    """One member, with nothing in it that depends on when and where it was made."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    shard.addfile(member, io.BytesIO(data))
