"""Faces that persons have placed, by photo: which rows have them already, and what they are cut from anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.config import digest
from curate.pipeline.core.progress import Progress
from curate.pipeline.crop import rows
from curate.pipeline.crop.rows import CropInput
from curate.pipeline.faces import placed
from curate.pipeline.faces.alignment import alignment
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.tables import arrow, placements

Numbers = tuple[float, ...]  # three points or a box, as faces.placed has them


class Placing:
    """What stands in manifests/faces.jsonl, for the rules (by domain) of a run."""

    def __init__(self, root: Path, rules: Mapping[str, CropRules], progress: Progress) -> None:
        """Raises CurateError for a file that can't be read."""
        found = placements.read(root, progress.note)
        self._faces = {image: tuple(face.numbers for face in faces) for image, faces in found.items()}
        self._rules = {domain: own for domain, own in rules.items() if alignment(own) != "none"}
        self.work = f"-{digest(self._faces)}" if self._faces else ""  # of the rows of photos that have such faces

    def at(self, item: CropInput) -> tuple[Numbers, ...]:
        """Where persons have placed faces in a photo, in that order."""
        return self._faces.get(item.image_id, ()) if item.domain in self._rules else ()

    def among(self, table: pa.Table) -> pa.Array:
        """Whether persons have placed faces in the photo of each row."""
        return pc.and_(arrow.is_in(table["image_id"], self._faces), arrow.is_in(table["domain"], self._rules))

    def current(self, table: pa.Table) -> pa.Table:
        """The rows of `table` of photos that have just the placed faces that stand now."""
        by_person = pc.equal(table["detector"], placed.DETECTOR)
        asked = pc.or_(self.among(table), rows.among(table, table.filter(by_person)))
        if not pc.any(asked, min_count=0).as_py():
            return table
        some = table.filter(asked).select(["crop_id", "detector", *CropInput._fields[:1], "domain"]).to_pylist()
        there: dict[tuple[str, str], set[str]] = {}
        for row in some:
            own = there.setdefault((row["domain"], row["image_id"]), set())
            if row["detector"] == placed.DETECTOR:
                own.add(row["crop_id"])
        late = [key for key, names in there.items() if names != self._wanted(*key)]
        stale = pa.table({name: pa.array([key[at] for key in late], pa.string()) for at, name in enumerate(_KEY)})
        return table.filter(pc.invert(rows.among(table, stale)))

    def _wanted(self, domain: str, image: str) -> set[str]:
        """The crop_ids of the faces that persons have placed in a photo."""
        item = CropInput(image, "", domain, "")
        if not (numbers := self.at(item)):
            return set()
        rules = self._rules[domain]
        align = alignment(rules)
        faces = [DetectedFace(placed.face(one, rules), placed=one) for one in numbers]
        return {rows.crop_id(item, face, rules, align) for face in placed.joined((), faces)}


_KEY = ("domain", "image_id")
