"""The section build: the split into training, validation and test images."""

from __future__ import annotations

from curate.pipeline.core.config import Section, Share


class Build(Section, frozen=True, kw_only=True):
    """The split into training, validation and test images."""

    val: Share = 0.1
    test: Share = 0.1
    salt: str = ""  # another salt, another split
