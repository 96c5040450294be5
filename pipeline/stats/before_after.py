"""What became of held-out photos: the first thing that the report shows, and before-after.jpg, a picture to send on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, synthetic
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.pages.thumbnails import Thumb, Thumbs
from curate.pipeline.stats.run_tables import RUNS

TRANSLATED = "processed/translated"
PICTURE = "before-after.jpg"
SHOWN = 6  # photos of one folder on the page
SIDE = 360  # px, the longer side of one there
TILE = 360  # px, width and height of one in the picture
COLUMNS = 6  # of the picture
QUALITY = 88
_GAP = 8  # px


@dataclass(frozen=True)
class Example:
    """A photo and what was made of it; `article` is what the person was given to wear."""

    before: Path
    after: Path
    article: Path | None


@dataclass(frozen=True)
class Translation:
    """One folder below processed/translated."""

    name: str
    examples: Sequence[Example]
    ways: str  # "a2b", say
    step: int | None  # that the networks were trained for
    trained_here: bool  # by a run of this project; else with networks that came from elsewhere


@dataclass(frozen=True)
class ShownChange:
    """An example on the page."""

    before: Thumb
    after: Thumb
    article: Thumb | None


def translations(root: Path) -> list[Translation]:
    """What was translated below `root`: by this project's runs, then by networks that came from elsewhere."""
    folder = root / TRANSLATED
    found = [_translation(path, root) for path in sorted(folder.glob("*")) if path.is_dir()]
    return sorted((one for one in found if one.examples), key=lambda one: (not one.trained_here, _order(one.name)))


def show(translation: Translation, root: Path, thumbs: Thumbs) -> Iterator[ShownChange]:
    """The first photos of `translation` with what was made of them."""
    for example in translation.examples[:SHOWN]:
        before, after, article = (
            thumbs.thumbnail(path.relative_to(root).as_posix(), SIDE, _digest(path)) if path else None
            for path in (example.before, example.after, example.article)
        )
        if before and after:
            yield ShownChange(before, after, article)


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


def _order(name: str) -> tuple[int, str]:
    """Hair first, then garments, whose pictures need the fewest words."""
    known = ("cyclegan", "cagan")
    return known.index(name) if name in known else len(known), name


def _translation(folder: Path, root: Path) -> Translation:
    notes = [(path, found) for path in sorted(folder.glob("*.json")) if (found := _read(path))]
    examples = [example for path, found in notes if (example := _example(path, found, root))]
    first = notes[0][1] if notes else {}
    step = first.get("step")
    return Translation(
        folder.name,
        examples,
        str(first.get("direction") or ""),
        step if isinstance(step, int) else None,
        (root / RUNS / folder.name).is_dir(),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("input") and found.get("output") else {}


def _example(path: Path, notes: Mapping[str, Any], root: Path) -> Example | None:
    """What the notes at `path` tell of; None where a picture is gone."""
    after = path.with_name(Path(str(notes["output"])).name)
    before = _below(str(notes["input"]), root)
    article = _below(str(notes["article"]), root) if notes.get("article") else None
    return Example(before, after, article) if before and after.is_file() else None


def _below(named: str, root: Path) -> Path | None:
    """The file that a command run at `root`, or with --root, called `named`; None for one that is not below `root`."""
    for path in (root / named, Path(named)):
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return root / path.resolve().relative_to(root.resolve())
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
