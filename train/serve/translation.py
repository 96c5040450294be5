"""One photo, sent by the page: translated in memory, and given back as pictures to look at or as a file to keep."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.pipeline.imaging import warp
from curate.pipeline.imaging.geometry import Box
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.imaging.values import rounded
from curate.train.serve.ways import Ways
from curate.train.translate import animation, picture_files
from curate.train.translate.photos import UnreadablePhoto, open_photo
from curate.train.translate.translator import Translator

MOST_BYTES = 32 << 20
MOST_PIXELS = 50_000_000  # as phones take them at their largest, about
SHOWN = 1400  # px, the longer side of what the page shows

Kind = Literal["png", "jpg", "gif"]
MEDIA_TYPES: dict[Kind, str] = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif"}


@dataclass(frozen=True)
class Wish:
    """What is asked for: a way by its number, of a council who paints and how, and what of the photo."""

    way: int
    member: int = 0
    style: int = 0
    whole: bool = False  # nobody looks for a face
    every: bool = False  # face, not only the largest
    article: int = 0  # bytes at the end of what came, that are the picture of an article


@dataclass(frozen=True)
class ServedPhoto:
    """A photo before and after, of one size; where faces were found, if any were looked for."""

    before: Photo
    after: Photo
    faces: tuple[Box, ...] = ()  # px of `before`


def translated(ways: Ways, data: bytes, wish: Wish) -> ServedPhoto:
    """What becomes of the photo in the bytes `data`, which the picture of an article may follow.

    Raises UsageError for bytes that are no photo, for one that is too large, and where no face is found.
    """
    if (try_on := ways.try_on(wish.way)) is not None:
        if not 0 < wish.article < len(data):
            raise UsageError("no picture of an article came along", "choose one, of the garment alone")
        photo, article = _photo(data[: -wish.article]), _photo(data[-wish.article :])
        return ServedPhoto(photo, try_on(photo, article.shown).photo)
    photo = _photo(data)
    translator = ways.translator(wish.way, wish.member, wish.style, whole=wish.whole, every=wish.every)
    if translator.takes_whole:
        return ServedPhoto(photo, translator.on_whole(photo))
    made = _crop(translator, photo) if translator.layout == "crop" else _in_photo(translator, photo)
    if made is None:
        raise UsageError(f"no face of '{translator.domain}' was found", "try another photo, or let it be taken whole")
    return made


def to_look_at(ways: Ways, wish: Wish, made: ServedPhoto) -> dict[str, Any]:
    """Both pictures as data: addresses, and the faces as shares of width and height: x, y, width, height."""
    width, height = made.before.size
    sides = (width, height) * 2
    faces = [[round(value / side, 5) for value, side in zip(face, sides, strict=True)] for face in made.faces]
    return {
        "before": _address(made.before, b""),
        "after": _address(made.after, ways.xmp(wish.way)),
        "width": width,
        "height": height,
        "faces": faces,
    }


def to_keep(ways: Ways, wish: Wish, made: ServedPhoto, kind: Kind) -> bytes:
    """The translated photo as a file, marked as synthetic; as a GIF before and after."""
    if kind == "gif":
        return animation.encode(made.before.shown, made.after.shown, ".gif", ways.xmp(wish.way))
    return picture_files.encode(made.after, f".{kind}", ways.xmp(wish.way))


def _photo(data: bytes) -> Photo:
    found = open_photo(data, max_pixels=MOST_PIXELS)
    if not isinstance(found, UnreadablePhoto):
        return found
    if found.reason == "too_large":
        raise UsageError(
            f"the photo is too large: {found.detail}", f"up to {MOST_PIXELS // 10**6} megapixels are taken"
        )
    raise UsageError(f"no photo that can be read: {found.detail or found.reason}", "JPEG, PNG and WebP always can be")


def _in_photo(translator: Translator, photo: Photo) -> ServedPhoto | None:
    """The whole photo with its face translated."""
    made = translator.on_photo(photo)
    if not made.layers:
        return None
    boxes = [face.cut.box for face in made.faces if face.made is not None]
    return ServedPhoto(photo, made.photo, tuple(box for box in boxes if box))


def _crop(translator: Translator, photo: Photo) -> ServedPhoto | None:
    """The face alone, as the networks saw and made it: those that turn it make a picture of its own."""
    for face in translator(photo.shown):
        if face.made is not None and face.seen is not None:
            before, after = (replace(Photo.of(rounded(one)), exif=photo.exif) for one in (face.seen, face.made.picture))
            return ServedPhoto(before, after)
    return None


def _address(photo: Photo, xmp: bytes) -> str:
    small = np.ascontiguousarray(warp.thumbnail(photo.shown, SHOWN))
    data = picture_files.encode(Photo.of(small), ".jpg", xmp)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
