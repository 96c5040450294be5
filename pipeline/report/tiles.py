"""One picture of a sheet, and the faces that are framed in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.report.thumbs import Thumb

Percent = tuple[float, float, float, float]  # left, top, width, height of a face, in % of the picture


@dataclass(frozen=True)
class Tile:
    """One picture on a sheet."""

    thumb: Thumb
    label: str = ""
    boxes: Sequence[Percent] = ()


def percent(boxes: Iterable[Sequence[float] | None], size: tuple[int, int] | None) -> list[Percent]:
    """Boxes in raw px of a picture of `size`, cut off at its edges, as shares of it; those that miss it left out."""
    found = []
    for box in boxes:
        if box is None or size is None:
            continue
        x, y, width, height = box
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + width, size[0]), min(y + height, size[1])
        shares = (left / size[0], top / size[1], (right - left) / size[0], (bottom - top) / size[1])
        a, b, c, d = (round(100 * share, 2) for share in shares)
        if c > 0 and d > 0:
            found.append((a, b, c, d))
    return found
