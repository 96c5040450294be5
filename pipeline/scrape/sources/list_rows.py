"""Rows of a list, whatever it is written in: named values, and which of them are addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from curate.pipeline.tables.folding import folded

Row: TypeAlias = Mapping[str, list[Any]]  # simplified name -> what stands under it, columns of one name together
Numbered: TypeAlias = tuple[int, Row | None]  # line or row number from 1; None for one that cannot be read

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//[^\s/]|data:", re.I)


def simplified(name: object) -> str:
    """A column's name as names are compared: imageurl for "Image URL" and image_url."""
    return re.sub(r"[\W_]+", "", folded(str(name)))


def is_address(value: object) -> bool:
    """Whether `value` looks like an address of the web, of whichever scheme."""
    return isinstance(value, str) and _ADDRESS.match(value.strip()) is not None


def named(pairs: Iterable[tuple[Any, Any]]) -> Row:
    """A row of names, as they are written, and values."""
    row: dict[str, list[Any]] = {}
    for name, value in pairs:
        row.setdefault(simplified(name), []).append(value)
    return row
