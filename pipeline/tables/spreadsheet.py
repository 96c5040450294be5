"""The one writer of CSV and TSV: a spreadsheet that opens one runs no cell of it, and a cell is one cell everywhere.

Names, titles and addresses are strangers'. So text that begins as a formula does, after any blanks and in full-width
letters, too, stands behind an apostrophe; line breaks and tabs are blanks; what steers a terminal is a code; and a cell
is in quotes where it holds any separator that a spreadsheet may guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TextIO

from curate.pipeline.core.terminal_text import visible

_BREAK = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_FORMULA = frozenset("=+-@")  # how a formula begins
_QUOTED = re.compile('[",;|]|^ | $')


def write(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]], *, separator: str = ",") -> None:
    """Writes `rows` under `header` into `file`; `separator` is "," for CSV, a tab for TSV.

    Numbers are written as Python writes them; None, and what is not a number, as an empty cell.
    """
    for row in chain([header], rows):
        file.write(separator.join(map(_cell, row)) + "\n")


def _cell(value: object) -> str:
    if value is None or value != value:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = visible(_BREAK.sub(" ", value))
    if unicodedata.normalize("NFKC", text.lstrip()[:1]) in _FORMULA:
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
