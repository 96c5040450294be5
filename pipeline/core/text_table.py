"""Plain text tables whose columns stand in line, also when a cell is Japanese."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from curate.pipeline.core.terminal_text import visible_line


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: two for each wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """`rows` under `header`, the first `left` columns flush left and the others right; None shows as a dot."""
    cells = [[visible_line(name) for name in header], *([_cell(value) for value in row] for row in rows)]
    widths = [max(width(cell) for cell in column) for column in zip_longest(*cells, fillvalue="")]
    lines = [
        "  ".join(_pad(cell, room, column < left) for column, (cell, room) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "·"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return visible_line(str(value))


def _pad(text: str, room: int, flush_left: bool) -> str:
    blank = " " * (room - width(text))
    return text + blank if flush_left else blank + text
