"""What is written of a translated photo: which pictures of it, side by side or alone, and notes beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.photo import Photo
from curate.train.translate import animation, metadata, picture_files
from curate.train.translate.content_credentials import ContentCredentials
from curate.train.translate.metadata import MadeBy
from curate.train.translate.results import TranslationResult

Layout = Literal["photo", "crop", "compare"]


@dataclass(frozen=True)
class Output:
    """What is wanted of each photo."""

    layout: Layout = "photo"  # at its own size; what the networks made of a face; before and after side by side
    strength: float = 1.0  # of the paint, 0..1
    rgba: bool = False  # the paint alone, too, with its mask as alpha
    gif: bool = False  # an animation of before and after, too, or instead where the output's name is one's
    mark: ContentCredentials | None = None  # what signs the pictures, beside the mark that all of them have
    force: bool = False  # write over files that are somebody else's


PHOTO = Output()
GAP = 2  # px of white between small pictures


class PictureWriter:
    """Writes the pictures of results, each marked as synthetic, as `plan` allows."""

    def __init__(self, plan: OutputPlan, output: Output, made_by: MadeBy, *, animated: bool = False) -> None:
        """`animated`: results themselves are animations."""
        self.plan, self.output, self.made_by, self._animated = plan, output, made_by, animated
        self._xmp = metadata.xmp(made_by)

    def settings(self) -> dict[str, Any]:
        """What the pictures of equal photos follow from, as plain values."""
        output, signer = self.output, self.output.mark.signer if self.output.mark else None
        wanted = {"layout": output.layout, "strength": output.strength, "rgba": output.rgba, "gif": output.gif}
        return {**wanted, "mark": signer, "made_by": list(self.made_by)}

    def picture(self, path: Path, picture: Photo) -> None:
        """Writes `picture` as the kind that `path` ends in, whole or not at all."""
        self._write(path, picture_files.encode(picture, path.suffix, self._xmp))

    def result(
        self,
        target: Path,
        before: Photo,
        after: Photo,
        paint: Callable[[], Photo] | None = None,
        between: Callable[[], Sequence[RGB]] = tuple,
    ) -> None:
        """Writes `target` and what stands beside it; `paint` makes the paint alone, with alpha.

        Side by side, what `between` makes stands between the photo `before` and `after`.
        """
        if self.output.gif:
            moving = target if self._animated else target.with_suffix(".gif")
            self._write(moving, animation.encode(before.shown, after.shown, moving.suffix, self._xmp))
        if not self._animated:
            self.picture(target, self._shown(before, after, between))
        if self.output.rgba and paint is not None:
            self.picture(target.with_name(f"{target.stem}-paint.png"), paint())

    def _shown(self, before: Photo, after: Photo, between: Callable[[], Sequence[RGB]]) -> Photo:
        if self.output.layout != "compare":
            return after
        return replace(Photo.of(side_by_side([before.shown, *between(), after.shown])), exif=before.exif)

    def _write(self, path: Path, data: bytes) -> None:
        if self.output.mark is not None:
            data = self.output.mark.sign(data, path.suffix, self.made_by)
        with self.plan.write(path) as temporary:
            temporary.write_bytes(data)

    def notes(self, target: Path, result: TranslationResult, more: Mapping[str, Any]) -> None:
        """Writes what is known of `target` as JSON beside it."""
        made: dict[str, Any] = {"layout": self.output.layout, "strength": self.output.strength}
        made |= {"step": self.made_by.step, "weights": self.made_by.weights}
        text = json.dumps({**asdict(result), **more, **made}, indent=2, ensure_ascii=False) + "\n"
        with self.plan.write(target.with_suffix(".json")) as temporary:
            temporary.write_bytes(text.encode("utf-8", "backslashreplace"))  # names of bytes that are no text


def side_by_side(pictures: Sequence[RGB]) -> RGB:
    """`pictures` from left to right, as high as the first, with white between them."""
    height = len(pictures[0])
    gap = np.full((height, max(2 * GAP, height // 64), 3), 255, np.uint8)
    row: list[RGB] = []
    for picture in pictures:
        row += [gap, _as_high(picture, height)] if row else [_as_high(picture, height)]
    return np.concatenate(row, axis=1)


def _as_high(picture: RGB, height: int) -> RGB:
    if len(picture) == height:
        return picture
    size = max(1, round(picture.shape[1] * height / len(picture))), height
    how = cv2.INTER_AREA if len(picture) > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
