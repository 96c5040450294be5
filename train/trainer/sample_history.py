"""The same images all through a run: those that it began with, and what became of them from the first step to the last.

samples/previews.safetensors   the images, 8 bits each
samples/history/00000500.png   what the networks made of them after so many steps, one below the other
samples/history.png            the images themselves, then these columns
samples/history.gif            the same as a moving picture
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec, synthetic
from curate.pipeline.imaging.codec import RGB
from curate.train.data.image_grid import GAP
from curate.train.data.transforms import resize, to_float, to_uint8
from curate.train.engine import safetensors_file
from curate.train.engine.contract import Recipe
from curate.train.trainer import film
from curate.train.trainer.previews import Preview

COLUMNS = 16  # at the most, beside the first
GRIDS = 32  # files of whole grids at the most, beside
NEWEST = 4  # of them
SIDE = 128  # px of a picture in the strip, at the most
HEAD = 14  # px above the columns for the numbers of their steps


def pin_preview(preview: Preview, path: Path) -> Preview:
    """`preview` with the images that `path` has held since the run began, or holds from now on.

    So they stay the same although images have come or gone since. Another number or size of them replaces them. What is
    no image, such as noise, depends on nothing that changes.
    """
    chosen = {key: _eight_bit(value) for key, value in preview.batch.items() if value.ndim == 4}
    try:
        pinned = safetensors_file.read(path)[1]
    except UsageError:  # missing, or broken
        pinned = {}
    if {key: value.shape for key, value in pinned.items()} != {key: value.shape for key, value in chosen.items()}:
        pinned = chosen
        safetensors_file.write(path, chosen)
    images = {key: _unit(value, preview.batch[key]) for key, value in pinned.items()}
    return replace(preview, batch={**preview.batch, **images})


def _eight_bit(pictures: Tensor) -> Tensor:
    """Images [N, 3, H, W] in [-1, 1], or masks [N, 1, H, W] in [0, 1], as uint8 [N, H, W, 3 or 1]."""
    return to_uint8(pictures if pictures.shape[1] == 3 else pictures * 2 - 1)


def _unit(pixels: Tensor, like: Tensor) -> Tensor:
    values = to_float(pixels, like.device)
    return values if values.shape[1] == 3 else (values + 1) / 2


class History:
    """The strip of a run of `steps` steps, which goes on after step `start`; its samples lie in `folder`, `every` steps
    apart."""

    def __init__(self, folder: Path, preview: Preview, every: int, start: int, steps: int) -> None:
        self.folder, self.preview, self.every, self.steps = folder, preview, every, steps
        groups = {key: preview.batch[source][rows] for key, (source, rows) in preview.rows.items()}
        self.counts = [len(pictures) for pictures in groups.values()]
        self.first = _column(groups)
        for step, path in self._columns().items():
            if step > start or not self._holds(path):
                path.unlink()

    def add(self, recipe: Recipe, step: int) -> None:
        """Draws what `recipe` makes of the images after `step` steps, and the strip and the moving picture anew.

        Once there are more than COLUMNS, every second one goes, so that those that stay are evenly spread.
        """
        made = recipe.render(self.preview.batch)
        column = _column({key: made[key][rows] for key, (_, rows) in self.preview.rows.items()})
        with atomic_write(self.folder / "history" / f"{step:08}.png") as temporary:
            temporary.write_bytes(codec.encode_png(column))
        columns = self._columns()
        for old in columns.keys() - set(thinned(list(columns), self.every)):
            columns.pop(old).unlink()
        kept = {number: codec.decode(path.read_bytes()) for number, path in columns.items()}
        with atomic_write(self.folder / "history.png") as temporary:
            strip = _strip([self.first, *kept.values()], ["input", *map(str, kept)])
            temporary.write_bytes(synthetic.marked(codec.encode_png(strip), synthetic.xmp()))
        with atomic_write(self.folder / "history.gif") as temporary:
            first, *others = (_pictures(column, self.counts) for column in (self.first, *kept.values()))
            temporary.write_bytes(film.gif(first, dict(zip(kept, others, strict=True)), self.steps))

    def _holds(self, path: Path) -> bool:
        """Whether a column of this preview is there."""
        try:
            return codec.decode(path.read_bytes()).shape == self.first.shape
        except codec.ImageError:
            return False

    def _columns(self) -> dict[int, Path]:
        paths = sorted((self.folder / "history").glob("*.png"))
        return {int(path.stem): path for path in paths if path.stem.isdigit()}


def thin_samples(folder: Path, every: int) -> None:
    """Leaves at most GRIDS of the grids step-NUMBER.png in `folder`, evenly spread, and the newest NEWEST."""
    grids = {int(p.stem[5:]): p for p in folder.glob("step-*.png") if p.stem[5:].isdecimal()}
    steps = sorted(grids)
    for step in set(steps) - set(thinned(steps, every, GRIDS)) - set(steps[-NEWEST:]):
        grids[step].unlink(missing_ok=True)


def thinned(steps: list[int], every: int, most: int = COLUMNS) -> list[int]:
    """At most `most` of `steps`, in order: those in whole multiples of 1, 2, 4, ... times `every`, and the last.

    A step belongs to the last multiple of `every` before it. What is left out once stays out as steps are added.
    """
    stride = 1
    while len(left := [step for step in steps if step // every % stride == 0 or step == steps[-1]]) > most:
        stride *= 2
    return left


def _column(groups: Mapping[str, Tensor]) -> RGB:
    """Images [N, 3, H, W] of each group, one below the other, uint8 [rows, W, 3]."""
    framed = []
    for pictures in groups.values():
        scale = min(1.0, SIDE / max(pictures.shape[-2:]))
        small = resize(pictures.float(), *(round(side * scale) for side in pictures.shape[-2:]))
        framed += [np.pad(picture, ((0, GAP), (0, 0), (0, 0)), constant_values=255) for picture in to_uint8(small)]
        framed.append(np.full_like(framed[0][: 2 * GAP], 255))
    column: RGB = np.concatenate(framed)[: -2 * GAP]
    return column


def _pictures(column: RGB, counts: Sequence[int]) -> list[list[RGB]]:
    """What `_column` put together, taken apart again: `counts` pictures of each group."""
    pitch = (len(column) - 2 * GAP * (len(counts) - 1)) // sum(counts)
    groups, top = [], 0
    for count in counts:
        groups.append([column[top + n * pitch : top + (n + 1) * pitch - GAP] for n in range(count)])
        top += count * pitch + 2 * GAP
    return groups


def _strip(columns: list[RGB], labels: list[str]) -> RGB:
    """The columns side by side on white, each under its label."""
    framed = []
    for column, label in zip(columns, labels, strict=True):
        canvas = np.pad(column, ((HEAD, 0), (0, GAP), (0, 0)), constant_values=255)
        cv2.putText(canvas, label, (1, HEAD - 4), cv2.FONT_HERSHEY_PLAIN, 0.75, (0, 0, 0), 1, cv2.LINE_AA)
        framed.append(canvas)
    strip: RGB = np.concatenate(framed, axis=1)
    return strip
