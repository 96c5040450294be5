"""The map of the set that `curate suspects` has left: every crop a dot in its domain's colour, alike ones together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curate.pipeline.stats.gallery import Gallery, Picture
from curate.pipeline.tables import manifest, provenance
from curate.pipeline.tables.suspects_table import SUSPECTS

DOTS = 1500  # on the map, at most; of a larger set as many, evenly
RINGED = 60  # suspects
ACROSS, DOWN = 15, 9  # parts of the map that show a picture, where there is room
_MARGIN = 3.0  # % of the map
_SIDE = 64  # px of the pictures on the map


@dataclass(frozen=True)
class Spot:
    """A crop on the map."""

    x: float  # % from the left
    y: float  # % from the top
    colour: int  # of its domain
    label: str
    rank: int | None = None  # of a suspect
    picture: Picture | None = None


@dataclass(frozen=True)
class SetMap:
    """What the report draws."""

    domains: Sequence[str]  # the place of each is its colour
    net: str
    dots: Sequence[Spot]
    pictures: Sequence[Spot]  # one of each part of the map
    suspects: Sequence[Spot]
    doubtful: int  # crops whose neighbours mostly are of another domain
    tiles: Sequence[Picture]  # the suspects once more, with what their neighbours say


def found(root: Path, gallery: Gallery) -> SetMap | None:
    """The map, if `curate suspects` has looked at the crops that are there now; None if it has not."""
    if not provenance.is_fresh(SUSPECTS, root):
        return None
    rows = manifest.read(SUSPECTS, root).to_pylist()
    domains = sorted({row["domain"] for row in rows})
    doubtful = sorted((row for row in rows if row["rank"] and row["score"] > 0.5), key=lambda row: row["rank"])
    ringed = {row["crop_id"] for row in doubtful[:RINGED]}
    rest = [row for row in rows if row["crop_id"] not in ringed]
    some = [rest[at] for at in np.unique(np.linspace(0, max(len(rest) - 1, 0), DOTS).astype(int))] if rest else []

    def spot(row: Mapping[str, Any], *, picture: bool = False) -> Spot:
        shown = gallery.crop(row["crop_id"], side=_SIDE) if picture else None
        label = f"{row['rank']}: {_told(row)}" if row["crop_id"] in ringed else row["domain"]
        rank = row["rank"] if row["crop_id"] in ringed else None
        return Spot(_at(row["x"]), _at(row["y"]), domains.index(row["domain"]), label, rank, shown)

    tiles = [gallery.crop(row["crop_id"], _told(row)) for row in doubtful[:RINGED]]
    return SetMap(
        domains,
        manifest.meta(SUSPECTS, root).get("net", ""),
        [spot(row) for row in some],
        [spot(row, picture=True) for row in _examples(some)],
        [spot(row, picture=True) for row in doubtful[:RINGED]],
        len(doubtful),
        [picture for picture in tiles if picture],
    )


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['domain']} → {row['voted']} {row['score']:.2f}"


def _at(share: float) -> float:
    return round(_MARGIN + share * (100.0 - 2 * _MARGIN), 2)


def _examples(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The crop nearest to the middle of each part of the map; none of a part that is empty."""
    best: dict[tuple[int, int], tuple[float, Mapping[str, Any]]] = {}
    for row in rows:
        x, y = row["x"] * ACROSS, row["y"] * DOWN
        part = min(int(x), ACROSS - 1), min(int(y), DOWN - 1)
        off = (x - part[0] - 0.5) ** 2 + (y - part[1] - 0.5) ** 2
        if part not in best or off < best[part][0]:
            best[part] = off, row
    return [row for _, row in best.values()]
