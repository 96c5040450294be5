"""A contact sheet: one page with its pictures inside, a value under each, and the reason where it was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.report import templates
from pipeline.report.figures import write_text
from pipeline.report.tiles import Tile


@dataclass(frozen=True)
class Shown:
    """A picture and what stands under it."""

    tile: Tile
    value: str
    note: str = ""
    reason: str = ""  # why it does not train


def write(path: Path, heading: str, lead: str, footer: str, shown: Sequence[Shown]) -> Path:
    """Writes the page, which needs no other file, at `path` and returns it. Raises CurateError for a refusing disk."""
    view = {"heading": heading, "lead": lead, "footer": footer, "shown": shown}
    return write_text(path, templates.render("sheet.html", view))
