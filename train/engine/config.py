"""What a run may say about how it is trained; params.yaml is read by it without loading torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from curate.pipeline.core.config import Section

PrecisionName = Literal["fp32", "bf16"]
Compile = Literal["none", "default", "graphs"]


class ModelConfig(Section, frozen=True, kw_only=True):
    """Base of every recipe's constants: the section train.NAME.model."""

    DEFAULTS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Values of train.NAME.data and run that this recipe has where nobody says otherwise, by group."""

    @property
    def any_size(self) -> bool:
        """Whether the generators take images of any size, not those alone that they were made for."""
        return True

    @property
    def directions(self) -> tuple[str, ...]:
        """The ways between two domains that the networks go."""
        return ("a2b", "b2a")

    def check_images(self, height: int, width: int) -> None:
        """Raises UsageError for images of so many px from which the networks can make nothing."""

    @classmethod
    def from_older(cls, plain: Mapping[str, Any]) -> dict[str, Any]:
        """`plain`, the values of a run that was trained under the keys of RENAMED, under today's keys."""
        return {cls.RENAMED.get(key, key).partition(",")[0]: value for key, value in plain.items()}
