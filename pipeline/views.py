"""Looking at what is there: a contact sheet and a list below processed/views. Nothing else is written or moved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import manifest
from pipeline.report import sheet
from pipeline.report.sheet import Shown

FOLDER = "processed/views"
SHOWN = 300  # pictures on a sheet, unless a person asks for another number


@dataclass(frozen=True)
class View:
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
) -> View:
    """Writes processed/views/NAME.tsv with `rows` under `header`, and NAME.html with the pictures of the first of them.

    Raises CurateError for a disk that refuses.
    """
    safe = re.sub(r"[^\w.-]|^\.", "_", name)[:100]
    page, table = (Path(FOLDER) / f"{safe}{end}" for end in (".html", ".tsv"))
    with manifest.replacing(root / table) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in (header, *rows):
            file.write("\t".join(map(_cell, row)) + "\n")
    pictures = list(shown)
    footer = f"The whole list, {len(rows):,} rows: {table.name}. Nothing was renamed, moved or deleted."
    sheet.write(root / page, heading, lead, footer, pictures)
    return View(len(rows), len(pictures), page.as_posix(), table.as_posix())


def text(view: View) -> str:
    """What was written, for a terminal."""
    return f"{view.rows} rows, {view.shown} of them on the sheet\n  {view.page}\n  {view.list}"


def _cell(value: object) -> str:
    """A cell of a TSV: empty for None and for what is not a number, without tabs and line breaks."""
    if value is None or value != value:
        return ""
    return re.sub(r"\s", " ", value if isinstance(value, str) else repr(value))
