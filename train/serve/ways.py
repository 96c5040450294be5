"""What the page offers: trained networks, each in the directions that it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.pipeline.core.errors import UsageError
from curate.train.runs.photo_networks import PhotoNetworks
from curate.train.translate import metadata
from curate.train.translate.metadata import MadeBy
from curate.train.translate.translator import Translator

if TYPE_CHECKING:
    from curate.train.translate.try_on import TryOn


@dataclass(frozen=True)
class OfferedWay:
    """One run in one direction. What is public goes to the page."""

    name: str  # of the run, or of the file of weights
    system: str
    direction: str
    source: str  # the domain of the photos
    target: str  # what becomes of them
    members: int  # of a council; 0 of networks without
    wears: bool = False  # whether a picture of an article comes along, which the person then wears


class Ways:
    """The ways that are offered, by number."""

    def __init__(self, runs: Sequence[PhotoNetworks]) -> None:
        """Raises UsageError for networks that translate no photos."""
        self._networks: list[PhotoNetworks] = []
        self.all: list[OfferedWay] = []
        for networks in runs:
            name = Path(networks.source).name.removesuffix(".safetensors")
            if networks.is_try_on:
                self.all.append(OfferedWay(name, networks.system, "", "person", "in your article", 0, wears=True))
                self._networks.append(networks)
                continue
            networks.check_direction(networks.usual_direction)
            for direction in networks.directions:
                names = networks.domains[direction[0]], networks.domains[direction[2]]
                self.all.append(OfferedWay(name, networks.system, direction, *names, networks.members))
                self._networks.append(networks)
        self._xmp = {id(networks): metadata.xmp(MadeBy.of(networks)) for networks in runs}
        self._translators: dict[tuple[int, bool, bool], Translator] = {}

    def translator(self, number: int, member: int, style: int, *, whole: bool, every: bool) -> Translator:
        """What goes the way `number`; `whole` takes photos as they are, without looking for faces; `every` takes each
        face, not only the largest, of those that look for any.

        Raises UsageError for a way or a member that there is not.
        """
        networks = self._of(number)
        if member not in range(max(networks.members, 1)):
            raise UsageError(f"member {member}: there are 0 to {networks.members - 1}", "load the page again")
        direction = self.all[number].direction
        every = every and not whole and networks.rules[direction[0]].align != "none"
        key = number, whole, every
        if key not in self._translators:
            self._translators[key] = Translator(networks, direction, align=not whole, all_faces=every)
        translator = self._translators[key]
        return translator.chosen(member, style) if networks.members else translator

    def try_on(self, number: int) -> TryOn | None:
        """What puts articles on people, where the way `number` does. Raises UsageError for one that there is not."""
        networks = self._of(number)
        if not self.all[number].wears:
            return None
        from curate.train.runs.trained import Trained  # torch, which others do without
        from curate.train.translate.try_on import TryOn

        assert isinstance(networks, Trained), "only torch puts articles on people"
        return TryOn(networks)

    def xmp(self, number: int) -> bytes:
        """The mark of what this way makes. Raises UsageError for one that there is not."""
        return self._xmp[id(self._of(number))]

    def _of(self, number: int) -> PhotoNetworks:
        if number not in range(len(self.all)):
            raise UsageError(f"way {number}: there are {len(self.all)}", "load the page again")
        return self._networks[number]
