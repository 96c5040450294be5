"""VITON-HD, which networks for virtual try-on read: CatVTON's data set class takes it as it is.

    train/image/KEY.jpg  train/cloth/KEY.jpg  train/cloth-mask/KEY.jpg  train/agnostic-mask/KEY_mask.png
    train_pairs.txt  train_pairs_paired.txt  train_pairs_unpaired.txt

The same for val and test. Pictures are 3:4 and upright. A line of a list is a person's file and a cloth's: in `paired`
the cloth that is worn, in `unpaired` another product's; `train_pairs.txt` has the former, the other splits' the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.files import atomic_write
from curate.pipeline.export.config import Export
from curate.pipeline.export.export_set import ExportItem, ExportSet
from curate.pipeline.faces import agnostic_mask
from curate.pipeline.imaging import codec, plain_ground
from curate.pipeline.imaging.codec import RGB

SHAPE = 3, 4  # width to height
_SPECK = 0.002  # of the px: smaller parts, and smaller holes, of a cloth's mask are noise


class VitonHd:
    """People in clothes, the clothes alone, and masks of both."""

    def __init__(self, export_set: ExportSet, section: Export) -> None:
        """Raises ModelError without the file of the person mask."""
        self.export_set = export_set
        self._agnostic = agnostic_mask.load()
        lists = [f"{split}_{kind}.txt" for split in export_set.splits for kind in ("pairs", *_LISTS)]
        self.names = [*export_set.splits, *lists]

    def write(self, out: Path) -> Iterator[tuple[ExportItem, str]]:
        """See Layout."""
        for split in self.export_set.splits:
            items = list(self.export_set.items(split))
            for item in items:
                self._write_pair(item, out / split)
                yield item, f"{split}/image/{_file(item)}"
            own, other = (f"{split}_{kind}.txt" for kind in _LISTS)
            lists = {own: [(item, item) for item in items], other: list(_swapped(items))}
            lists[f"{split}_pairs.txt"] = lists[own if split == "train" else other]
            for name, lines in lists.items():
                _put(out / name, "".join(f"{_file(a)} {_file(b)}\n" for a, b in lines).encode())

    def _write_pair(self, item: ExportItem, folder: Path) -> None:
        last = folder / "agnostic-mask" / f"{item.key}_mask.png"
        if last.exists():
            return
        cloth, person = (upright(self.export_set.picture(path)) for path in item.pictures)
        for kind, picture in (("image", person), ("cloth", cloth)):
            _put(folder / kind / _file(item), codec.encode_jpeg(picture))
        _put(folder / "cloth-mask" / _file(item), codec.encode_jpeg(_as_rgb(cloth_mask(cloth))))
        _put(last, codec.encode_png(_as_rgb(self._agnostic(person))))


_LISTS = ("pairs_paired", "pairs_unpaired")


def upright(square: RGB) -> RGB:
    """A letterboxed square, uint8 [S, S, 3], as [S, 3/4 S, 3]: its middle where nothing lies beside that, else all of
    it, smaller, on the colour of its first row."""
    height = len(square)
    width = round(height * SHAPE[0] / SHAPE[1])
    left = (height - width) // 2
    beside = np.concatenate([square[:, :left], square[:, left + width :]], axis=1)
    if (beside == square[0, 0]).all():
        return np.ascontiguousarray(square[:, left : left + width])
    small = cv2.resize(square, (width, width), interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), np.median(square[0], axis=0).round(), np.uint8)
    top = (height - width) // 2
    canvas[top : top + width] = small
    return canvas


def cloth_mask(cloth: RGB) -> NDArray[np.uint8]:
    """Where `cloth`, uint8 [H, W, 3], shows something on its plain ground: [H, W], 255 or 0, without specks."""
    mask = plain_ground.figure(cloth).astype(np.uint8)
    for value in (1, 0):
        _, labels, found, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
        small = np.flatnonzero(found[:, cv2.CC_STAT_AREA] < _SPECK * mask.size)
        mask[np.isin(labels, small[small > 0])] = 1 - value
    return mask * np.uint8(255)


def _swapped(items: Sequence[ExportItem]) -> Iterator[tuple[ExportItem, ExportItem]]:
    """Each person with the next item's cloth, of the items with another; nobody where there is one cloth alone."""
    for place, item in enumerate(items):
        others = (items[(place + step) % len(items)] for step in range(1, len(items)))
        other = next((one for one in others if one.facts["cluster_id"] != item.facts["cluster_id"]), None)
        if other is not None:
            yield item, other


def _file(item: ExportItem) -> str:
    return f"{item.key}.jpg"


def _as_rgb(mask: NDArray[np.uint8]) -> RGB:
    return np.repeat(mask[..., None], 3, axis=2)


def _put(target: Path, data: bytes) -> None:
    with atomic_write(target, durable=False) as temporary:
        temporary.write_bytes(data)
