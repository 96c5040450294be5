"""Contact sheets: a page with its pictures inside, a value under each and the reason where one was refused, and a list.

Both lie below processed/views. Nothing else is written, and nothing is moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.pipeline.core import files
from curate.pipeline.core.confined_path import closed_folder
from curate.pipeline.core.files import atomic_write
from curate.pipeline.pages import templates
from curate.pipeline.pages.thumbnails import Thumb
from curate.pipeline.tables import spreadsheet

FOLDER = "processed/views"
SHOWN = 300  # pictures on a sheet, unless a person asks for another number
Percent = tuple[float, float, float, float]  # left, top, width, height of a face, in % of the picture


@dataclass(frozen=True)
class Tile:
    """One picture on a sheet."""

    thumb: Thumb
    label: str = ""
    boxes: Sequence[Percent] = ()


@dataclass(frozen=True)
class Shown:
    """A picture and what stands under it."""

    tile: Tile
    value: str
    note: str = ""
    reason: str = ""  # why it does not train
    beside: Sequence[Tile] = ()  # what it is compared with, smaller
    id: str = ""  # what `curate keep` and `curate reject` know it by


@dataclass(frozen=True)
class SheetFiles:
    """What was written."""

    rows: int  # on the list
    shown: int  # on the sheet
    page: str  # paths below the root
    list: str


def write(
    root: Path,
    name: str,
    *,
    heading: str,
    lead: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    shown: Iterable[Shown],
) -> SheetFiles:
    """Writes processed/views/NAME.tsv with `rows` under `header`, and NAME.html with the pictures of the first of them.

    Raises CurateError for a disk that refuses, and for a link there that leads out of `root`.
    """
    safe = re.sub(r"[^\w.-]|^\.", "_", name)[:100]
    page, table = (Path(FOLDER) / f"{safe}{end}" for end in (".html", ".tsv"))
    closed_folder(root, FOLDER)
    with atomic_write(root / table) as temporary, temporary.open("w", encoding="utf-8") as file:
        spreadsheet.write(file, header, rows, separator="\t")
    pictures = list(shown)
    footer = f"The whole list, {len(rows):,} rows: {table.name}. Nothing was renamed, moved or deleted."
    write_page(root / page, heading, lead, footer, pictures)
    return SheetFiles(len(rows), len(pictures), page.as_posix(), table.as_posix())


def text(written: SheetFiles) -> str:
    """What was written, for a terminal."""
    return f"{written.rows} rows, {written.shown} of them on the sheet\n  {written.page}\n  {written.list}"


def write_page(path: Path, heading: str, lead: str, footer: str, shown: Sequence[Shown]) -> Path:
    """Writes the page, which needs no other file, at `path` and returns it. Raises CurateError for a refusing disk."""
    view = {"heading": heading, "lead": lead, "footer": footer, "shown": shown}
    return files.write_text(path, templates.render("sheet.html", view))


def percent(boxes: Iterable[Sequence[float] | None], size: tuple[int, int] | None) -> list[Percent]:
    """Boxes in raw px of a picture of `size`, cut off at its edges, as shares of it; those that miss it left out.

    None without a size, or with one of which a table lacks a part.
    """
    found = []
    for box in boxes:
        if box is None or size is None or not all(size):
            continue
        x, y, width, height = box
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + width, size[0]), min(y + height, size[1])
        shares = (left / size[0], top / size[1], (right - left) / size[0], (bottom - top) / size[1])
        a, b, c, d = (round(100 * share, 2) for share in shares)
        if c > 0 and d > 0:
            found.append((a, b, c, d))
    return found
