"""What an ONNX file of curate's says of itself, beside its networks: how photos are cut for them, and where they come
from. It stands as JSON in the file's own metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError
from curate.train.runs.photo_networks import PhotoNetworks, PhotoRules

KEY = "curate"  # of the metadata
STYLES = 100  # of a council, that a file knows by number
PARTS = ("translated", "mask", "paint", "attention")  # what may come out
_VERSION = 1


@dataclass(frozen=True)
class OnnxFacts:
    """What is told of one generator."""

    system: str
    source: str  # where its weights came from
    step: int | None
    direction: str  # a2b; empty of generators that translate no photo alone: CAGAN's, StyleGAN2's
    side: int  # px
    photos: PhotoRules
    styles: Sequence[Sequence[float]] = ()  # z of the first styles, [STYLES, style]; none of networks without

    @classmethod
    def of(
        cls, networks: PhotoNetworks, direction: str, side: int, styles: Sequence[Sequence[float]] = ()
    ) -> OnnxFacts:
        """Those of the generator of `networks` that goes in this direction."""
        photos = PhotoRules(networks.domains, networks.rules, networks.width, networks.letterbox)
        return cls(networks.system, networks.source, networks.step, direction, side, photos, styles)

    def as_metadata(self) -> dict[str, str]:
        """For the file."""
        plain = {**vars(self), "photos": self.photos.as_dict(), "version": _VERSION}
        return {KEY: json.dumps(plain, separators=(",", ":"))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: str) -> OnnxFacts:
        """As `as_metadata` wrote them. Raises UsageError for a file `where` that tells something else."""
        if KEY not in metadata:
            raise UsageError(
                f"{where}: an ONNX file, but none of curate's: it does not say how photos are cut for it",
                "make one: curate weights export RUN --layout onnx -o FOLDER",
            )
        try:
            plain: dict[str, Any] = from_json(metadata[KEY])
            version = plain.pop("version")
            if version == _VERSION:
                return cls(**{**plain, "photos": PhotoRules.from_dict(plain["photos"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{where}: what it says of itself is broken", "export it again") from error
        raise UsageError(f"{where}: written by another version of curate", "export it again")
