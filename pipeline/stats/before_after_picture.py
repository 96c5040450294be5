"""before-after.jpg: photos that trained nothing above what became of them, as one picture to send on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, synthetic
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.stats.before_after import Example, Translation

PICTURE = "before-after.jpg"
TILE = 360  # px, width and height of one photo
COLUMNS = 6
QUALITY = 88
_GAP = 8  # px


def write_picture(found: Sequence[Translation], folder: Path) -> Path | None:
    """Writes before-after.jpg into `folder`: photos on top, below each what was made of it, none of them chosen.

    Of each run the first ones, as many as of the others; of networks that were given the same photos, by those
    that were trained for longer; none that would be shown much enlarged. Without any, one that is there is taken away.
    """
    target = folder / PICTURE
    longest = {one.examples[0].before: one for one in sorted(found, key=lambda one: one.step or 0)}
    own = [longest[one.examples[0].before] for one in found if one.trained_here] or list(found)
    own = [one for one in own if _is_large(one.examples[0].after)]
    columns = [column for one, count in zip(own, _shares(len(own))) for column in _columns(one.examples[:count])]
    if not columns:
        target.unlink(missing_ok=True)
        return None
    gap = np.full((len(columns[0]), _GAP, 3), 255, np.uint8)
    row = np.concatenate([part for column in columns for part in (column, gap)][:-1], axis=1)
    with atomic_write(target) as temporary:
        temporary.write_bytes(synthetic.marked(codec.encode_jpeg(row, QUALITY), synthetic.xmp()))
    return target


def _is_large(path: Path) -> bool:
    """Whether the picture at `path` fills a third of a tile's sides."""
    try:
        return min(codec.decode(path.read_bytes()).shape[:2]) >= TILE // 3
    except (OSError, codec.ImageError):
        return False


def _shares(count: int) -> list[int]:
    """How many columns each of `count` folders has; the first ones have one more where they don't divide evenly."""
    return [COLUMNS // count + (n < COLUMNS % count) for n in range(min(count, COLUMNS))] if count else []


def _columns(examples: Sequence[Example]) -> Iterator[RGB]:
    """Before above after, as tiles on white; an article stands small in the corner of the second."""
    for example in examples:
        try:
            before, after = (_tile(path, TILE) for path in (example.before, example.after))
            if example.article:
                small = _tile(example.article, TILE // 3)
                after[-len(small) :, -small.shape[1] :] = small
        except (OSError, codec.ImageError):
            continue
        yield np.concatenate([before, np.full((_GAP, TILE, 3), 255, np.uint8), after])


def _tile(path: Path, side: int) -> RGB:
    """The middle of the picture at `path` that is square, its top where it is tall, `side` px."""
    rgb = codec.decode(path.read_bytes())
    height, width = rgb.shape[:2]
    edge = min(height, width)
    left, top = (width - edge) // 2, (height - edge) // 8
    square = np.ascontiguousarray(rgb[top : top + edge, left : left + edge])
    smaller = cv2.INTER_AREA if edge > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (side, side), interpolation=smaller), np.uint8)
