"""Trained networks as one Python object: `from curate import load`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec
from curate.pipeline.imaging.photo import Photo, from_pillow, to_pillow
from curate.pipeline.imaging.values import rounded
from curate.train.engine.contract import Recipe
from curate.train.runs.trained import Trained
from curate.train.translate.translator import Size, Translator
from curate.train.translate.try_on import TryOn
from curate.train.weights import exchange

Direction = Literal["a2b", "b2a"]


class Pretrained:
    """Translates photos. `recipe` is the recipe itself, a torch module in training mode with the loaded weights."""

    def __init__(self, networks: Trained, direction: Direction, size: Size | None = None) -> None:
        self.trained, self.direction, self.size = networks, direction, size
        self.recipe: Recipe = networks.recipe
        self._translators: dict[tuple[str, bool], Translator] = {}

    def __call__(
        self,
        photo: Any,
        direction: Direction | None = None,
        *,
        align: bool = True,
        layout: Literal["photo", "crop"] | None = None,
        strength: float = 1.0,
        article: Any = None,
        worn: Any = None,
        member: int = 0,
        style: int = 0,
    ) -> Any:
        """`photo` at its own size, its largest face translated, `strength` 0..1 as strong; everything outside of the
        face's square keeps its values. With the `layout` "crop" the face alone, as the networks made it; so, too,
        without a layout, where faces are turned as they are cut out.

        Without `align` the networks take the photo as a whole, or, where they take one size alone, its middle square.
        Of a council, `member` says who paints, and `style`, any whole number from 0 on, in which of its ways.
        Networks that put articles on people take an `article`, and what is `worn` if there is a picture of it.

        `photo` is a PIL image, read as the command reads the file that it was opened from, or uint8 RGB [height, width,
        3]; what comes back is of the same kind. Raises UsageError for another kind, for a direction that the weights
        don't go, for a size that they don't take, for a member or style that there is not, and where no face is found.
        """
        if (member or style) and not self.trained.members:
            raise UsageError(f"{self.trained.source}: has no members and no styles", "leave member and style out")
        seen = _photo(photo)
        if article is not None:
            put_on = TryOn(self.trained)(seen, _photo(article).shown, None if worn is None else _photo(worn).shown)
            return _as(photo, put_on.photo)
        key = (direction or self.direction, align)
        if key not in self._translators:
            self._translators[key] = Translator(self.trained, key[0], align=align, size=self.size)
        translator = self._translators[key]
        if self.trained.members:
            translator = translator.chosen(member, style)
        if translator.takes_whole:
            return _as(photo, translator.on_whole(seen, strength))
        layout = layout or translator.layout
        if layout == "photo":
            made = translator.on_photo(seen, strength)
            if made.layers:
                return _as(photo, made.photo)
        for face in translator(seen.shown) if layout == "crop" else ():
            if face.made is not None and face.seen is not None:
                crop = face.seen + np.float32(strength) * (face.made.picture - face.seen)
                return _as(photo, Photo.of(rounded(crop)))
        raise UsageError("no face was found that can be translated", "pass align=False for a photo that is cut already")


def load(
    path: str | Path | list[str | Path],
    system: str | None = None,
    *,
    direction: Direction = "a2b",
    size: Size | None = None,
    device: str = "auto",
    names: Mapping[str, str] | None = None,
) -> Pretrained:
    """A run, RUN@STEP, RUN@best, one of a run's files, or files of weights of any system, ready to translate.

    `direction` is what calls translate unless they say otherwise, and that of a lone generator whose file name says
    none. `size` is the px of what the networks see, or "photo". `names` change beginnings of other projects' names, as
    --map does. Raises UsageError like weights.exchange.load.
    """
    paths = [Path(part) for part in (path if isinstance(path, list) else [path])]
    renames = list((names or {}).items())
    side = None if size == "photo" else size
    networks, _ = exchange.load(paths, system, direction, renames, size=side, device=device)
    if networks.directions == ("b2a",):
        direction = "b2a"  # the only one there is
    return Pretrained(networks, direction, size)


def _as(photo: Any, made: Photo) -> Any:
    """`made` as what `photo` is."""
    return to_pillow(made) if isinstance(photo, Image.Image) else made.shown


def _photo(photo: Any) -> Photo:
    if isinstance(photo, Image.Image):
        try:
            return from_pillow(photo)
        except codec.ImageError as error:
            raise UsageError(f"the photo can't be read: {error}", "open another, or look at the file") from None
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        kind = f"{photo.dtype} {list(photo.shape)}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UsageError(f"a photo of {kind}", "pass a PIL image, or uint8 RGB [height, width, 3]")
    return Photo.of(photo.copy())  # torch wants it writable
