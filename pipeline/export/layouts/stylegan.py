"""The dataset zip of StyleGAN2-ADA and StyleGAN3: uncompressed PNGs and their labels, one zip per split.

    00000/img00000000.png ...   dataset.json: {"labels": [["00000/img00000000.png", 0], ...]}

The labels are the domains' numbers, for training with --cond; null when there is one domain.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.export.config import Export
from curate.pipeline.export.export_set import ExportItem, ExportSet
from curate.pipeline.imaging import codec

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell


class StyleGan:
    """A zip per split."""

    def __init__(self, export_set: ExportSet, section: Export) -> None:
        """Raises UsageError for pairs, and for a size that is no power of two."""
        if export_set.is_pairs:
            raise UsageError(
                "stylegan-zip: holds single pictures, not pairs", "export pairs to folders, webdataset or huggingface"
            )
        if export_set.size is not None:
            _check(export_set.size, export_set.size, "--size")
        self.export_set = export_set
        self.names = [f"{split}.zip" for split in export_set.splits]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout. Raises UsageError for a picture that is not square or whose side is no power of two."""
        for split in self.export_set.splits:
            target = out / f"{split}.zip"
            if target.exists():
                yield from ((item, f"{target.name}/{_name(n)}") for n, item in enumerate(self.export_set.items(split)))
                continue
            labels: list[tuple[str, int]] = []
            sides: set[int] = set()
            with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                for number, item in enumerate(self.export_set.items(split)):
                    data = self.export_set.png(item.pictures[0])
                    info = codec.inspect(data)
                    sides.add(info.width)
                    _check(info.width, info.height, item.pictures[0])
                    if len(sides) > 1:
                        raise UsageError(
                            f"{item.pictures[0]}: {info.width} px, others have {min(sides - {info.width})}",
                            "let them be made equal: --size 256",
                        )
                    _add(archive, _name(number), data)
                    labels.append((_name(number), self.export_set.domains.index(item.domain)))
                    yield item, f"{target.name}/{_name(number)}"
                known_labels = labels if len(self.export_set.domains) > 1 else None
                _add(archive, "dataset.json", json.dumps({"labels": known_labels}).encode())


def _name(number: int) -> str:
    digits = f"{number:08}"
    return f"{digits[:5]}/img{digits}.png"


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _check(width: int, height: int, what: str) -> None:
    if width != height or width & (width - 1):
        raise UsageError(
            f"{what}: {width}x{height} px; StyleGAN wants squares whose side is a power of two",
            "let them be made so: --size 256",
        )
