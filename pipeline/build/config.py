"""The section build: the split into training, validation and test images."""

from __future__ import annotations

from curate.pipeline.core.config import Section, Share


class Build(Section, frozen=True, kw_only=True):
    """The split into training, validation and test images."""

    val: Share = 0.1  # share of the pictures that validates; copies stay together
    test: Share = 0.1  # share that tests
    salt: str = ""  # another salt, another split
