"""What becomes of photos that are translated: which files there are, what is written beside each, what is reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.imaging import codec


@dataclass(frozen=True)
class TranslationResult:
    """What became of one face or person, or of one input without any: `reason` is "ok", no_face, or why it was
    refused."""

    input: str
    output: str | None
    reason: str
    detail: str = ""
    face: int | None = None  # by falling score
    box: tuple[float, ...] | None = None  # x, y, width, height in the photo, px
    affine: tuple[float, ...] | None = None  # 2x3, row-major: index coordinates of the photo -> of the output
    article: str | None = None  # the article that the person was given


def list_photos(inputs: Iterable[Path]) -> Iterator[Path]:
    """The inputs, folders replaced by the images below them, in order. Raises UsageError for a folder without any."""
    for path in inputs:
        if not path.is_dir():
            yield path
            continue
        found = [p for p in sorted(path.rglob("*")) if p.is_file() and _is_image(p)]
        if not found:
            raise UsageError(f"{path}: no image in this folder", "name images, or another folder")
        yield from found


def unique_names(files: Iterable[Path]) -> list[str]:
    """A name for each file: its stem, numbered where two have the same."""
    taken: dict[str, int] = {}
    given = []
    for path in files:
        number = taken[path.stem] = taken.get(path.stem, 0) + 1
        given.append(path.stem if number == 1 else f"{path.stem}~{number}")
    return given


def read_photo(path: Path) -> codec.RGB | TranslationResult:
    """The photo, or what became of one that can't be read."""
    try:
        return codec.decode(path.read_bytes())
    except codec.ImageError as error:
        return TranslationResult(str(path), None, error.reason, str(error))
    except OSError as error:
        return TranslationResult(str(path), None, "unreadable", error.strerror or str(error))


def write_png(path: Path, rgb: codec.RGB) -> None:
    """Writes uint8 [H, W, 3], whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(codec.encode_png(rgb))


def write_notes(output: Path, result: TranslationResult, more: Mapping[str, Any]) -> None:
    """Writes what is known of `output` as JSON beside it."""
    notes = {**asdict(result), **more}
    with atomic_write(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(notes, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _is_image(path: Path) -> bool:
    with path.open("rb") as file:
        return codec.sniff(file.read(32)) is not None
