"""What is reviewed, crops or pairs: what the stages made of each, and the numbers by which they can be ordered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.core.errors import TableError, UsageError, nearest
from curate.pipeline.faces.config import CropRules, domain_rules
from curate.pipeline.review import doubt, sort_keys
from curate.pipeline.tables import crop_status, decisions, manifest
from curate.pipeline.tables.arrow import as_float
from curate.pipeline.tables.manifest import CROPS, DEDUP, IMAGES, PAIRS
from curate.pipeline.tables.provenance import first
from curate.pipeline.tables.schema import Table
from curate.pipeline.tables.suspects_table import SUSPECTS

Values: TypeAlias = NDArray[np.float64]  # [n], NaN where there is none
Names: TypeAlias = NDArray[np.object_]  # [n], str or None

DOUBT, SUSPECT = "doubt", "suspect"
FALLING = frozenset({DOUBT, SUSPECT})  # keys whose highest are looked at first
_IMAGE_COLUMNS = ["image_id", "title", "page_url", "license", "creator", "width", "height", "path"]


@dataclass(frozen=True, eq=False)
class ReviewItems:
    """The crops or the pairs of a project, a row each."""

    table: pa.Table
    ids: Names  # that name a row: crop_id or pair_id
    decided_as: Names  # what a decision on it names: its id, or the photo's where no face was found in it
    images: list[tuple[str | None, ...]]  # the photos that each is made of
    reasons: Names  # of the stages, before anybody decided; "ok" for what trains
    clusters: Names
    keys: Mapping[str, Callable[[], Values]]  # by name, in the order in which they are offered
    photos: Mapping[str, Mapping[str, Any]] = field(repr=False)  # what scrape knows of a photo, by image_id
    votes: Mapping[str, Mapping[str, Any]] = field(repr=False)  # what a crop's neighbours say, by crop_id
    _values: dict[str, Values] = field(default_factory=dict, repr=False)

    @cached_property
    def domains(self) -> Names:
        """The domain of each, as it was found."""
        return _names(self.table["domain"])

    @cached_property
    def detectors(self) -> Names:
        """What saw the face of each crop; None for pairs."""
        if "detector" in self.table.schema.names:
            return _names(self.table["detector"])
        return np.full(len(self.ids), None, object)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The row of each id."""
        return {name: place for place, name in enumerate(self.ids.tolist())}

    @cached_property
    def rows_of(self) -> Mapping[str, list[int]]:
        """The rows that a decision on a name bears on: the item's own, and those of what is made of a photo."""
        found: dict[str, list[int]] = {}
        for place, (own, photos) in enumerate(zip(self.decided_as.tolist(), self.images, strict=True)):
            for name in {own, *photos}:
                found.setdefault(name, []).append(place)
        return found

    def values(self, key: str) -> Values:
        """[n] of `key`. Raises UsageError for one that there is not."""
        if key not in self.keys:
            raise UsageError(f"there is no key '{key}'{nearest(key, self.keys)}", f"keys: {', '.join(self.keys)}")
        if key not in self._values:
            self._values[key] = self.keys[key]()
        return self._values[key]

    @cached_property
    def haystacks(self) -> list[str]:
        """What a search looks at: ids, titles and addresses, in lower case."""
        told = [" ".join(filter(None, (name, *photos))) for name, photos in zip(self.ids, self.images, strict=True)]
        for place, photos in enumerate(self.images):
            known = [self.photos.get(name or "", {}) for name in photos]
            told[place] += "".join(f" {one.get('title') or ''} {one.get('page_url') or ''}" for one in known)
        return [one.lower() for one in told]


def crops(root: Path) -> ReviewItems:
    """Every row of crops.parquet, those without a face, too. Raises TableError where the table is not there."""
    table = crop_status.crop_statuses(root, CROPS.schema.names, decisions.Decisions(()))
    ids, images = _names(table["crop_id"]), _names(table["image_id"])
    faceless = pc.and_(pc.is_null(table["box"]), pc.is_null(table["affine"])).to_numpy()
    clusters = ids
    if manifest.exists(DEDUP, root):
        dedup = manifest.read(DEDUP, root, ["crop_id", "cluster_id"])
        at = pc.index_in(table["crop_id"], value_set=dedup["crop_id"].combine_chunks())
        clusters = _names(pc.coalesce(dedup["cluster_id"].take(at), table["crop_id"]))
    votes = _votes(root)
    against = np.array([votes[name]["score"] if name in votes else np.nan for name in ids.tolist()], np.float64)
    rules = crop_rules(root, sorted(set(table["domain"].to_pylist())))
    keys: dict[str, Callable[[], Values]] = {DOUBT: lambda: doubt.of_crops(table, rules, against)}
    if votes:
        keys[SUSPECT] = lambda: against
    for name, key in sort_keys.KEYS.items():
        if key.values is not None:
            keys[name] = lambda measure=key.values: measure(table)  # type: ignore[misc]
    return ReviewItems(
        table,
        ids,
        decided_as=np.where(faceless, images, ids),
        images=[(name,) for name in images.tolist()],
        reasons=_names(table["reason"]),
        clusters=clusters,
        keys=keys,
        photos=_photos(root),
        votes=votes,
    )


def pairs(root: Path) -> ReviewItems:
    """Every row of pairs.parquet that has both pictures. Raises TableError where the table is not there."""
    table = manifest.read(PAIRS, root, PAIRS.schema.names)
    table = table.filter(pc.and_(pc.is_valid(table["article_path"]), pc.is_valid(table["human_path"])))
    columns = [table[name].to_pylist() for name in ("article_image_id", "human_image_id")]
    ids = _names(table["pair_id"])
    keys: dict[str, Callable[[], Values]] = {DOUBT: lambda: 1.0 - np.nan_to_num(as_float(table["agreement"]))}
    for column in PAIRS.schema:
        if pa.types.is_floating(column.type):
            keys[column.name] = lambda name=column.name: as_float(table[name])  # type: ignore[misc]
    return ReviewItems(
        table,
        ids,
        decided_as=ids,
        images=list(zip(*columns, strict=True)),
        reasons=_names(table["reason"]),
        clusters=_names(table["cluster_id"]),
        keys=keys,
        photos=_photos(root),
        votes={},
    )


KINDS: Mapping[str, tuple[Table, Callable[[Path], ReviewItems]]] = {"crops": (CROPS, crops), "pairs": (PAIRS, pairs)}


def kinds(root: Path) -> list[str]:
    """What there is to review. Raises TableError where there is nothing."""
    found = [kind for kind, (table, _) in KINDS.items() if manifest.exists(table, root)]
    if not found:
        raise TableError(f"{CROPS.path(root)}: not there yet: nothing to review", f"make it: {first(CROPS, root)}")
    return found


def crop_rules(root: Path, domains: list[str]) -> dict[str, CropRules]:
    """The rules that crops.parquet says it was cut by, for each of `domains`."""
    section = manifest.meta(CROPS, root).get("section", {})
    return {domain: domain_rules(section, domain) for domain in domains}


def _photos(root: Path) -> dict[str, Mapping[str, Any]]:
    if not manifest.exists(IMAGES, root):
        return {}
    images = manifest.read(IMAGES, root, _IMAGE_COLUMNS)
    images = images.filter(pc.is_valid(images["image_id"]))
    rows = zip(*(images[name].to_pylist() for name in _IMAGE_COLUMNS), strict=True)
    return {row[0]: dict(zip(_IMAGE_COLUMNS, row, strict=True)) for row in rows}


def _votes(root: Path) -> dict[str, Mapping[str, Any]]:
    if not manifest.exists(SUSPECTS, root):
        return {}
    table = manifest.read(SUSPECTS, root, ["crop_id", "score", "voted"])
    return {row["crop_id"]: row for row in table.to_pylist()}


def _names(column: pa.ChunkedArray) -> Names:
    return np.asarray(column.to_numpy(zero_copy_only=False), object)
