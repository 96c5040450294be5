"""How whole pictures are put into squares: two keys that the section pairs and trained networks share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from curate.pipeline.core.config import Section


class Letterbox(Section, frozen=True, kw_only=True):
    """A square with a whole picture in its middle."""

    size: Annotated[int, Meta(ge=32, le=1024)] = 256  # px, side of the letterboxed pictures
    background: tuple[int, int, int] = (255, 255, 255)  # RGB of the letterbox
