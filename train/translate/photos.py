"""Photos that people translate: which files there are in a folder, and what a person sees in one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import is_folder
from curate.pipeline.core.outputs import Record
from curate.pipeline.imaging import codec, formats, photo, unread
from curate.pipeline.imaging.photo import Photo

MAX_PIXELS = codec.MAX_SIDE**2  # a person's own photo is no bomb: cameras and scanners make 108 MP and more


class Photos(NamedTuple):
    """The photos that were named or found, in order."""

    files: list[Path]
    made: int  # pictures in folders that commands of ours wrote: they are passed over


class UnreadablePhoto(NamedTuple):
    """A photo that can't be read: a reason of images.parquet, too_large or unreadable, and what it is in words."""

    reason: str
    detail: str


def list_photos(inputs: Iterable[Path]) -> Photos:
    """The inputs, folders replaced by the photos below them, by name, through links to other folders, too.

    A photo is what begins like one, or is called like one: what can't be read is told later, not passed over. Hidden
    files, and what commands of ours wrote, are passed over. Raises UsageError for a folder without any photo.
    """
    files: list[Path] = []
    made = 0
    for path in inputs:
        if not is_folder(path):
            files.append(path)
            continue
        found, own = _below(path)
        if not found:
            raise UsageError(
                f"{path}: {'only what curate wrote' if own else 'no photo'} is in this folder",
                "name the photos one by one" if own else "name photos, or another folder",
            )
        files += found
        made += own
    return Photos(files, made)


def read_photo(path: Path) -> Photo | UnreadablePhoto:
    """The photo, up to MAX_PIXELS; or why it can't be read."""
    try:
        return open_photo(path.read_bytes(), MAX_PIXELS)
    except OSError as error:
        return UnreadablePhoto("unreadable", error.strerror or str(error))
    except MemoryError:
        return UnreadablePhoto("too_large", "not enough memory")


def open_photo(data: bytes, max_pixels: int) -> Photo | UnreadablePhoto:
    """The photo in the bytes `data`; or why it can't be read."""
    try:
        return photo.decode(data, max_pixels=max_pixels)
    except codec.ImageError as error:
        if error.reason == "bomb":
            side = f"{codec.MAX_SIDE:,} px a side are the most"
            return UnreadablePhoto("too_large", f"{str(error).removeprefix('bomb: ')}, {side}")
        return UnreadablePhoto(error.reason, str(error).removeprefix(f"{error.reason}: ").removeprefix(error.reason))
    except MemoryError:
        return UnreadablePhoto("too_large", "not enough memory")


def _below(folder: Path) -> tuple[list[Path], int]:
    """The photos below `folder`, and how many pictures of our own were passed over."""
    found: list[Path] = []
    own = 0
    for place, names in _walk(folder, set()):
        record = Record(place)
        for path in (place / name for name in sorted(names)):
            if not _is_photo(path):
                continue
            if record.holds(path):
                own += 1
            else:
                found.append(path)
    return sorted(found), own


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder from `folder` down once, whatever links lead to it, with its files; a folder without rights is in
    the place of a file, so that it is told."""
    try:
        state = folder.stat()
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder.parent, [folder.name]
        return
    visible = [path for path in entries if not path.name.startswith(".")]
    yield folder, [path.name for path in visible if not is_folder(path)]
    for path in visible:
        if is_folder(path):
            yield from _walk(path, seen)


def _is_photo(path: Path) -> bool:
    if path.suffix.lower() in formats.SUFFIXES | unread.SUFFIXES or is_folder(path):
        return True
    try:
        with path.open("rb") as file:
            return codec.sniff(file.read(32)) is not None
    except OSError:
        return False
