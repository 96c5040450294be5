"""What each table was made from, by content: whether it is older than that, and which commands bring all up to date.

A stage records the digests of its inputs as they stand when it begins. A digest covers the rows alone, so a command
that runs again and changes nothing makes nothing stale. Tables that earlier versions wrote record no inputs, and count
as up to date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.files import NOT_THERE, reading
from curate.pipeline.tables import decisions, parquet_file, placements
from curate.pipeline.tables.schema import CROPS, DATASET, DEDUP, IMAGES, PAIRS, Table

META, INPUTS = b"curate.meta", "inputs"
ORDER: tuple[Table, ...] = (IMAGES, CROPS, DEDUP, PAIRS, DATASET)  # no table is made from a later one
CUT = "curate crop && curate dedup && curate build"  # what makes a crop that trains, whatever it was that is missing
_REVIEW, _PLACED = "review", "faces"  # what persons write
_FILES = {_REVIEW: decisions.FILE, _PLACED: placements.FILE}
_MADE_FROM: Mapping[str, Sequence[str]] = {
    "images": (),
    "crops": ("images", _PLACED),
    "dedup": ("crops",),
    "pairs": ("images", _REVIEW),
    "dataset": ("images", "crops", "dedup", _REVIEW),
    "suspects": ("crops", "dedup"),
}
_CHUNK = 1 << 20


@dataclass(frozen=True)
class StaleTable:
    """A table that no longer follows from what it was made from."""

    table: str
    older_than: tuple[str, ...]  # the inputs that have changed since, or are stale themselves


@dataclass(frozen=True)
class Freshness:
    """How the tables of a root stand to each other."""

    stale: tuple[StaleTable, ...] = ()  # in the order in which they are made
    commands: tuple[str, ...] = ()  # that bring them up to date, in the order in which they are typed

    def text(self) -> str:
        """One line: which tables are older than what, and the commands; "" when all are up to date."""
        if not self.stale:
            return ""
        late = [one.table for one in self.stale]
        causes = dict.fromkeys(name for one in self.stale for name in one.older_than if name not in late)
        verb = "is" if len(late) == 1 else "are"
        than = _listed([_FILES.get(name, name) for name in causes])
        return f"{_listed(late)} {verb} older than {than}: {' && '.join(self.commands)}"


def inputs(table: Table, root: Path) -> dict[str, str]:
    """The digest of each thing that `table` is made from, as it stands below `root` now; "" for what is not there."""
    return {name: _digest(name, root) for name in _MADE_FROM[table.name]}


def is_fresh(table: Table, root: Path) -> bool:
    """Whether `table` stands below `root` and was made from what its inputs hold now."""
    return _recorded(table, root) == inputs(table, root)


def freshness(root: Path, tables: Iterable[Table] = ORDER) -> Freshness:
    """Which of `tables`, and of what they are made from, are older than their inputs.

    Reads the bytes of the tables, not their rows.
    """
    wanted = _with_inputs({table.name for table in tables})
    now = {name: _digest(name, root) for name in {*_FILES, *wanted}}
    stale: dict[str, StaleTable] = {}
    for table in ORDER:
        if table.name not in wanted or not now[table.name]:
            continue
        recorded = _recorded(table, root)
        late = [name for name, digest in recorded.items() if name in stale or now.get(name, "") != digest]
        if late:
            stale[table.name] = StaleTable(table.name, tuple(late))
    lost = {name for one in stale.values() for name in one.older_than if name not in _FILES and not now[name]}
    commands = tuple(table.made_by for table in ORDER if table.name in stale or table.name in lost)
    return Freshness(tuple(stale.values()), commands)


def again(table: Table, root: Path) -> str:
    """The commands that make `table` again, and then the tables below `root` that were made from it."""
    found = {table.name}
    for one in ORDER:
        if one.path(root).is_file() and found & set(_MADE_FROM[one.name]):
            found.add(one.name)
    later = [one.made_by for one in ORDER if one.name in found and one.made_by != table.made_by]
    return " && ".join([table.made_by, *later])


def first(table: Table, root: Path) -> str:
    """The commands that make `table`, which is not there, with those of its inputs that are not there either."""
    names = _with_inputs({table.name})
    lacking = [one.made_by for one in ORDER if one.name in names and not one.path(root).is_file()]
    if IMAGES.made_by in lacking and not (root / "params.yaml").is_file():
        lacking[0] += " --query TEXT"  # nothing else says what to look for
    return " && ".join(lacking or [table.made_by])


def _with_inputs(names: set[str]) -> set[str]:
    for table in reversed(ORDER):
        if table.name in names:
            names = names | {name for name in _MADE_FROM[table.name] if name not in _FILES}
    return names


def _recorded(table: Table, root: Path) -> dict[str, str]:
    """The digests that the table below `root` was written with; none for one that is broken.

    Raises CurateError for one that can't be read.
    """
    try:
        found: Any = from_json(parquet_file.notes(table.path(root)).get(META, b"{}")).get(INPUTS, {})
    except (*parquet_file.BROKEN, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(name: str, root: Path) -> str:
    """Names the content of a table, or of what persons write, below `root`; "" for what is not there or empty.

    Of a table all bytes count but the footer, which holds its settings: equal rows give equal bytes. Raises CurateError
    for what can't be read.
    """
    paths = {table.name: table.path(root) for table in ORDER}
    path = paths[name] if name in paths else root / _FILES[name]
    try:
        size = path.stat().st_size
        with reading(path), path.open("rb") as file:
            if name in paths and size >= 12:
                file.seek(size - 8)
                size -= 8 + int.from_bytes(file.read(4), "little")
                file.seek(0)
            digest = hashlib.blake2b(digest_size=16)
            while size > 0 and (chunk := file.read(min(size, _CHUNK))):
                digest.update(chunk)
                size -= len(chunk)
    except NOT_THERE:
        return ""
    return digest.hexdigest() if path.stat().st_size else ""


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
