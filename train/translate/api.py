"""Trained networks as one Python object: `from curate import load`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import codec
from curate.train.data.transforms import to_uint8
from curate.train.engine.contract import Recipe
from curate.train.runs.trained import Trained
from curate.train.translate.translator import Size, Translator
from curate.train.translate.try_on import TryOn
from curate.train.weights import exchange

Direction = Literal["a2b", "b2a"]
Photo = Image.Image | NDArray[np.uint8]


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
        article: Any = None,
        worn: Any = None,
    ) -> Any:
        """The largest face of `photo`, aligned and translated; without `align`, the photo as a whole at its own size.

        Networks that put articles on people take an `article` instead, and what is `worn` if there is a picture of
        it: they give the whole photo at its own size, the person in the article.

        `photo` is a PIL image, read as the command reads the file that it was opened from, or uint8 RGB [height, width,
        3]; what comes back is of the same kind. Raises UsageError for another kind, for a direction that the weights
        don't go, for a size that they don't take, and where no face is found.
        """
        if article is not None:
            tried_on = TryOn(self.trained)(_pixels(photo), _pixels(article), None if worn is None else _pixels(worn))
            return _as(photo, tried_on.photo)
        key = (direction or self.direction, align)
        if key not in self._translators:
            self._translators[key] = Translator(self.trained, key[0], align=align, size=self.size)
        translator = self._translators[key]
        if translator.takes_whole:
            return _as(photo, translator.whole(_pixels(photo)))
        for _, _, made in translator(_pixels(photo)):
            if made is not None:
                return _as(photo, to_uint8(made)[0].numpy())
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


def _as(photo: Any, pixels: NDArray[np.uint8]) -> Any:
    """`pixels` as what `photo` is."""
    return Image.fromarray(pixels) if isinstance(photo, Image.Image) else pixels


def _pixels(photo: Any) -> NDArray[np.uint8]:
    if isinstance(photo, Image.Image):
        try:
            return codec.from_pillow(photo)
        except codec.ImageError as error:
            raise UsageError(f"the photo can't be read: {error}", "open another, or look at the file") from None
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        kind = f"{photo.dtype} {list(photo.shape)}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UsageError(f"a photo of {kind}", "pass a PIL image, or uint8 RGB [height, width, 3]")
    return photo.copy()  # torch wants it writable
