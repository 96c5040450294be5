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

from curate.pipeline.core.at_work import IN_FOLDER, at_work
from curate.pipeline.core.config import as_dict
from curate.pipeline.core.confined_path import refuse_links_out
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import NOT_THERE, atomic_write, reading
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.export import export_set, licences
from curate.pipeline.export.config import Export
from curate.pipeline.export.layouts import LAYOUTS, OF_PAIRS, Layout
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


@at_work(reads=["crops", "pairs", "dataset"], folder="out")
def run(
    to: str,
    section: Export,
    root: Path,
    out: Path,
    *,
    domains: Sequence[str] = (),
    pairs: bool = False,
    force: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Writes what trains of `domains` (of all for none) into the folder `out`: crops, or Article/Human pairs,
    as those layouts do that hold nothing else.

    An interrupted export goes on; one of other rows or settings takes the place of what was exported there before.
    Raises UsageError for an unknown layout, a set that does not fit it, a folder that holds anything else or, without
    `force`, files that were put into it or changed since an export ended;
    TableError without dataset.parquet or pairs.parquet; CurateError for a crop that is missing and for a disk that
    refuses; ConfinementError for a link in `out`, or below `root`, that leads out of it.
    """
    make, pairs = LAYOUTS.resolve(to), pairs or to in OF_PAIRS
    chosen = export_set.read(root, domains, pairs=pairs, size=section.size)
    layout: Layout = make(chosen, section)
    files = (*layout.names, licences.LICENSES, licences.ATTRIBUTION)
    table = manifest.PAIRS if pairs else manifest.DATASET
    settings = [_VERSION, to, as_dict(section), chosen.domains, table.name, _digest(table.path(root).read_bytes())]
    digest = _digest(json.dumps(settings).encode())
    _begin(out, digest, files, force=force)
    counts = {split: chosen.count(split) for split in chosen.splits}
    places: dict[str, list[str]] = {}  # image_id -> names below out
    with progress.task(f"export {to}", sum(counts.values())) as task:
        for item, place in layout.write(out):
            for photo in item.image_ids:
                places.setdefault(photo, []).append(place)
            task.advance()
    licences.write(root, out, places)
    _mark(out, digest, files, ended=True)
    return Exported(to, str(out), counts, chosen.domains, files)


def text(done: Exported) -> str:
    """What was written, for a terminal."""
    counts = ", ".join(f"{split} {count}" for split, count in done.items.items())
    return "\n".join([f"{done.out}: {done.layout}, {counts}", *(f"  {name}" for name in done.files)])


def _begin(out: Path, digest: str, files: Sequence[str], *, force: bool) -> None:
    """Makes `out` ready: empty, or as an interrupted export of the same left it. Raises UsageError if it is foreign."""
    marker = out / MARKER
    try:
        with reading(marker):
            before = from_json(marker.read_text("utf-8"))
        same, made = before["digest"] == digest, [_plain(name) for name in before["files"]]
    except (*NOT_THERE, ValueError, KeyError, TypeError):
        if out.exists() and (not out.is_dir() or any(not _is_ours(path) for path in out.iterdir())):
            raise UsageError(
                f"{out}: not empty, and no export of curate's", "choose another --out, or empty it"
            ) from None
        before, same, made = {}, False, []
    if before.get("ended") and not force and (later := _changed_since(marker, made, deep=not same)):
        raise UsageError(
            f"{later}: was put here, or changed, after the export",
            "choose another --out, or write over it with --force",
        )
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
        refuse_links_out(out)
        for left in out.rglob(".*.tmp"):
            with suppress(OSError):
                left.unlink()
    _mark(out, digest, files, ended=False)


def _is_ours(path: Path) -> bool:
    """Whether `path` is what there is of an export before its marker stands: its lock, and that marker half written."""
    return path.name == IN_FOLDER or (path.name.startswith(f".{MARKER}.") and path.suffix == ".tmp")


def _mark(out: Path, digest: str, files: Sequence[str], *, ended: bool) -> None:
    """Says what `out` is an export of. That an export has ended is the last that is written."""
    with atomic_write(out / MARKER) as temporary:
        temporary.write_text(json.dumps({"digest": digest, "files": list(files), "ended": ended}), "utf-8")


def _changed_since(marker: Path, made: Sequence[str], *, deep: bool) -> Path | None:
    """A file that is newer than the mark of the export's end, among the files `made` and, `deep`, in its folders.

    By the time of the last change, which copying can't set back. Hard links are passed over: their times are those of
    the crops that they are.
    """
    end = marker.stat().st_ctime_ns
    for top in (marker.parent / name for name in made):
        for path in top.rglob("*") if deep and top.is_dir() else [top]:
            found = path.lstat() if path.is_symlink() or path.is_file() else None
            if found and found.st_nlink == 1 and found.st_ctime_ns > end:
                return path
    return None


def _plain(name: str) -> str:
    """`name`, if it can be no other place's: what is named here is deleted. Raises ValueError."""
    if name in {"", ".", ".."} or Path(name).name != name:
        raise ValueError(name)
    return name


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
