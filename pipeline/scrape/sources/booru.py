"""What tag-based boards of drawings have in common: queries are tags, ratings are stated, licences are not."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from curate.pipeline.scrape.sources.api import word

# Never taken, whatever the settings.
NEVER = frozenset("loli lolicon shota shotacon toddlercon child_on_child underage".split())
_MOVING = frozenset({"zip", "mp4", "webm", "gif", "swf"})


def tags(text: str) -> list[str]:
    """The tags of a query, in the spelling of the boards: full-width letters narrow, half-width kana wide."""
    return unicodedata.normalize("NFKC", text).split()


def are_tags(found: Collection[str]) -> bool:
    """Whether these can be tags: Japanese words are not."""
    return all(tag.isascii() for tag in found)


def admissible(row: Mapping[str, Any], tagged: Collection[str], ratings: Collection[str], name: str) -> bool:
    """Whether a post is a still picture for everybody, by its tags, its rating and its file's `name`."""
    moving = name.rpartition("?")[0].rpartition(".")[2] or name.rpartition(".")[2]
    return not NEVER.intersection(tagged) and word(row, "rating") in ratings and moving.lower() not in _MOVING
