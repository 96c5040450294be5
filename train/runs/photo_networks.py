"""What translates photos, whoever computes it: what it wants to see, and what it gives. Knows nothing of torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.config import as_dict, parse
from curate.pipeline.core.errors import UsageError
from curate.pipeline.faces.config import CropRules
from curate.pipeline.imaging.config import Letterbox

Floats = NDArray[np.float32]


class NetworkOutput(NamedTuple):
    """What networks made of a picture. Pictures are [h, w, 3] in 0..255, sRGB, not rounded."""

    picture: Floats
    mask: Floats | None = None  # [h, w] in [0, 1], of networks that have one
    paint: Floats | None = None  # what they paint where the mask is 1
    attention: Floats | None = None  # where they looked, laid over what they saw, if they say so


@dataclass(frozen=True)
class PhotoRules:
    """How the photos that networks were trained on were cut, so that new ones are cut alike."""

    domains: Mapping[str, str]  # the names of a and b
    rules: Mapping[str, CropRules]  # how photos of a and b are cut
    width: int | None = None  # px, of pairs; None: square
    letterbox: Letterbox = field(default_factory=Letterbox)  # what the pictures of pairs were boxed by

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; `from_dict` reads them."""
        rules = {key: as_dict(own) for key, own in self.rules.items()}
        return {
            "domains": dict(self.domains),
            "crop": rules,
            "width": self.width,
            "letterbox": as_dict(self.letterbox),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> PhotoRules:
        """Of values as a run's config.json has them. Raises UsageError, KeyError or TypeError for others."""
        domains = {str(key): str(name) for key, name in plain["domains"].items()}
        return cls(
            domains,
            {key: _known_rules(plain["crop"][key]) for key in domains},
            plain.get("width"),
            parse(Letterbox, plain.get("letterbox", {}), "letterbox"),
        )


@dataclass(frozen=True, kw_only=True)
class PhotoNetworks(ABC):
    """Trained networks and how they want photos. `domains`, `rules` and `directions` speak of "a" and "b"."""

    source: str  # where the weights come from
    step: int | None  # steps that they have seen; None where it is not recorded
    side: int | None  # px of the images that they want; None for any
    domains: Mapping[str, str]  # the names of a and b
    rules: Mapping[str, CropRules]  # how photos of a and b are cut
    directions: tuple[str, ...]  # a2b, b2a: those that have weights
    keys: frozenset[str]  # what the recipe's batches hold
    width: int | None = None  # px, of pairs; None: square
    letterbox: Letterbox = field(default_factory=Letterbox)  # what the pictures of pairs were boxed by
    any_size: bool = True  # whether they take photos of other sizes than `side`, too
    files: tuple[Path, ...] = ()  # that the weights were read from
    members: int = 0  # of a council, of which a person chooses, as among styles; 0: of networks without

    @property
    @abstractmethod
    def system(self) -> str:
        """What it is called by its paper: CycleGAN."""

    @abstractmethod
    def painted(
        self, picture: Floats, direction: str, face: Floats | None = None, choice: Mapping[str, int] | None = None
    ) -> NetworkOutput:
        """What the networks make of `picture`, [h, w, 3] in 0..255.

        `face` is the mask of its face, [h, w] in [0, 1], for those that want one; without, there is none. `choice` is
        the member of a council, and the style.
        """

    @property
    def is_try_on(self) -> bool:
        """Whether these networks put articles on people, instead of going from one domain to another."""
        return "human" in self.keys

    @property
    def usual_direction(self) -> str:
        """The one way that there is, or of two ways a2b."""
        return self.directions[0] if self.directions else "a2b"

    def check_direction(self, direction: str) -> None:
        """Raises UsageError for a direction that these weights do not go."""
        if self.is_try_on:
            raise UsageError(
                f"{self.source}: puts articles on people", "name one: --article shirt.jpg; in Python: article=shirt"
            )
        if "b" not in self.keys:
            raise UsageError(
                f"{self.source}: makes pictures of noise, and translates none", f"curate generate {self.source}"
            )
        if direction not in self.directions:
            known = ", ".join(f"{d}: {self.domains[d[0]]} to {self.domains[d[2]]}" for d in self.directions)
            raise UsageError(f"--direction {direction}: not one of {self.source}'s", known or "it has none")

    def check_size(self, size: int | Literal["photo"]) -> None:
        """Raises UsageError for a size, or the photo's own, that these weights do not take."""
        if self.is_try_on:
            raise UsageError(f"--size {size}: {self.source} gives whole photos at their own size", "leave it out")
        if not self.any_size and size != self.side:
            raise UsageError(f"{self.source}: takes images of {self.side} px alone", f"leave --size {size} out")
        if isinstance(size, int) and not (size % 4 == 0 and 16 <= size <= 1024):  # as data.size
            raise UsageError(f"--size {size}: not a multiple of 4 from 16 to 1024", "--size 256, say")


def _known_rules(plain: Mapping[str, Any]) -> CropRules:
    """The crop rules of a run, which may be older than this code: keys that are no more are left out."""
    return parse(CropRules, {key: plain[key] for key in CropRules.__struct_fields__ if key in plain}, "crop")
