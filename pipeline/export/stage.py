"""The set in the layouts that other trainers eat, each with its licences and its credits.

An export is resumable: a marker in its folder says what it is made of, and what is there already is not made again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from curate.pipeline.core.config import as_dict
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.export import export_set, licences
from curate.pipeline.export.config import Export
from curate.pipeline.export.layouts import LAYOUTS, Layout
from curate.pipeline.tables import manifest

MARKER = ".curate-export.json"
_VERSION = 1  # of what any layout writes: raise it when that changes


@dataclass(frozen=True)
class Exported:
    """What was written."""

    layout: str
    out: str
    items: dict[str, int]  # by split
    domains: tuple[str, ...]  # in the order of their numbers, or as A and B
    files: tuple[str, ...]  # directly below `out`


def run(
    to: str,
    section: Export,
    root: Path,
    out: Path,
    *,
    domains: Sequence[str] = (),
    pairs: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Writes what trains of `domains` (of all for none) into the folder `out`: crops, or Article/Human pairs.

    An interrupted export goes on; one of other rows or settings takes the place of what was exported there before.
    Raises UsageError for an unknown layout, a set that does not fit it, or a folder that holds anything else;
    TableError without dataset.parquet or pairs.parquet; CurateError for a crop that is missing and for a disk that
    refuses.
    """
    make = LAYOUTS.resolve(to)
    chosen = export_set.read(root, domains, pairs=pairs, size=section.size)
    layout: Layout = make(chosen, section)
    files = (*layout.names, licences.LICENSES, licences.ATTRIBUTION)
    table = manifest.PAIRS if pairs else manifest.DATASET
    settings = [_VERSION, to, as_dict(section), chosen.domains, table.name, _digest(table.path(root).read_bytes())]
    _begin(out, _digest(json.dumps(settings).encode()), files)
    counts = {split: chosen.count(split) for split in chosen.splits}
    places: dict[str, list[str]] = {}  # image_id -> names below out
    with progress.task(f"export {to}", sum(counts.values())) as task:
        for item, place in layout.write(out):
            for photo in item.image_ids:
                places.setdefault(photo, []).append(place)
            task.advance()
    licences.write(root, out, places)
    return Exported(to, str(out), counts, chosen.domains, files)


def text(done: Exported) -> str:
    """What was written, for a terminal."""
    counts = ", ".join(f"{split} {count}" for split, count in done.items.items())
    return "\n".join([f"{done.out}: {done.layout}, {counts}", *(f"  {name}" for name in done.files)])


def _begin(out: Path, digest: str, files: Sequence[str]) -> None:
    """Makes `out` ready: empty, or as an interrupted export of the same left it. Raises UsageError if it is foreign."""
    marker = out / MARKER
    try:
        before = json.loads(marker.read_text("utf-8"))
        same, made = before["digest"] == digest, [_plain(name) for name in before["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(
                f"{out}: not empty, and no export of curate's", "choose another --out, or empty it"
            ) from None
        same, made = False, []
    if not same:
        try:
            for path in (out / name for name in made):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise CurateError(f"{out}: cannot clear: {error.strerror}", "mend its rights, then run it again") from error
    if out.is_dir():
        for left in out.rglob(".*.tmp"):
            with suppress(OSError):
                left.unlink()
    with atomic_write(marker) as temporary:
        temporary.write_text(json.dumps({"digest": digest, "files": list(files)}), "utf-8")


def _plain(name: str) -> str:
    """`name`, if it can be no other place's: what is named here is deleted. Raises ValueError."""
    if name in {"", ".", ".."} or Path(name).name != name:
        raise ValueError(name)
    return name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
