"""Removing an item from everything that curate made, and remembering, without its name, not to fetch it again."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.at_work import PLACES, hold
from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.files import NOT_THERE, entries, files_below, reading
from curate.pipeline.core.terminal_text import visible_line
from curate.pipeline.hashing import phash
from curate.pipeline.imaging import codec, shards
from curate.pipeline.scrape.journal import Journal
from curate.pipeline.scrape.raw_store import open_store
from curate.pipeline.tables import decisions, json_lines, manifest, placements, provenance
from curate.pipeline.tables.arrow import is_in
from curate.pipeline.tables.schema import CROPS, IMAGES

# Pictures of the pictures, and the pages where they were found: made or read anew by the next command that needs them.
_DERIVED = (
    "processed/cache",
    "processed/dedup",
    "processed/evaluated",
    "processed/report",
    "processed/views",
    "raw/.pages",
)
_RUNS = "processed/runs"
_TRANSLATED = "processed/translated"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Images last: their rows find the others when this is interrupted.
_TABLES = (manifest.DATASET, manifest.DEDUP, manifest.PAIRS, CROPS, IMAGES)


@dataclass(frozen=True)
class Forgotten:
    """What was removed, and what had used it."""

    images: int  # distinct pictures
    rows: dict[str, int]  # removed, by table
    files: int
    datasets: list[str]  # what of it trained: "dataset: domain, split"
    runs: list[str]  # folders of trained runs that may have seen it
    next: list[str]  # the commands that bring the tables up to date


def run(what: str, root: Path) -> Forgotten:
    """Forgets the image or page at a URL, the image with a sha256, or everything by a creator.

    Copies of the same bytes go, too; near copies are refused when they are met. The journal keeps digests and
    perceptual hashes of what was forgotten, never its names. Interrupted, the same call goes on. Raises UsageError when
    `what` is nothing that is known, or while any other command is at work.
    """
    alone = hold(root, writes=PLACES, folders=_results(root))
    with open_store(root) as store, alone, Journal(store.journal) as journal:
        found = _find(what, root)
        journal.avoid(_looks(found.images, root, found.ids))
        journal.forget([what.strip(), *sorted(found.ids), *_addresses(found.images, found.keys[IMAGES.name])])
        for file in (decisions.FILE, placements.FILE):  # what persons said of it, and where its face is
            json_lines.forget(root / file, found.ids | found.keys[CROPS.name] | found.keys[manifest.PAIRS.name])
        translations = _translations(root, found.ids)
        for path in translations:
            path.unlink(missing_ok=True)
        for path in (path for name in _DERIVED if found.ids for path in entries(root / name)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        journal.purge()
        counts = [(kind, *_remove(kind, root, found.keys[kind.name])) for kind in _TABLES]  # by these it is found again
        removed = len(translations) + sum(files for *_, files in counts)
        return found.told(root, {kind.name: rows for kind, rows, _ in counts}, removed)


def _results(root: Path) -> Iterator[Path]:
    """The folders into which translations are written."""
    yield from (path for path in entries(root / _TRANSLATED) if path.is_dir())


def preview(what: str, root: Path) -> Forgotten:
    """What `run` would remove, which is left as it is. Raises UsageError like it, but for a scrape at work."""
    found = _find(what, root)
    rows, files = {}, len(_translations(root, found.ids))
    for kind in _TABLES:
        keys = found.keys[kind.name]
        if keys and manifest.exists(kind, root):
            table = manifest.read(kind, root)
            gone = table.filter(is_in(table[kind.key], keys))
            rows[kind.name] = gone.num_rows
            files += len({path for name in _own_paths(kind) for path in gone[name].to_pylist() if path})
    return found.told(root, rows, files)


class _Found(NamedTuple):
    """What a name stands for."""

    images: pa.Table | None
    ids: set[str]  # of the pictures
    keys: dict[str, set[str]]  # of the rows, by table
    datasets: list[str]
    runs: list[str]

    def told(self, root: Path, rows: dict[str, int], files: int) -> Forgotten:
        """The same for a person, with what was removed."""
        rows = {name: count for name, count in rows.items() if count}
        later = [kind.made_by for kind in provenance.ORDER[1:] if rows and manifest.exists(kind, root)]
        return Forgotten(len(self.ids), rows, files, self.datasets, self.runs, later)


def _find(what: str, root: Path) -> _Found:
    what = what.strip()
    table = manifest.read(IMAGES, root) if manifest.exists(IMAGES, root) else None
    named = _named(table, what) if table is not None else []
    ids = {row["image_id"] for row in named if row["image_id"]}
    if not named and not _is_address(what):
        raise UsageError(
            f"nothing here is by or called {what!r}",
            "a creator's name as in manifests/images.parquet, a sha256 or a URL",
        )
    rows = {row["candidate_id"] or "" for row in named} | _having(IMAGES, root, ["image_id"], ids)
    crops = _having(CROPS, root, ["image_id"], ids)
    pairs = _having(manifest.PAIRS, root, ["article_image_id", "human_image_id"], ids)
    datasets = sorted({*_used(manifest.DATASET, root, crops), *_used(manifest.PAIRS, root, pairs)})
    runs = sorted(_runs(root, {line.split(": ")[1].split(",")[0] for line in datasets}))
    keys = {"dataset": crops, "dedup": crops, "pairs": pairs, "crops": crops, "images": rows}
    return _Found(table, ids, keys, datasets, runs)


def text(done: Forgotten, *, ahead: bool = False) -> str:
    """What happened, for a terminal; `ahead`: what would."""
    rows = ", ".join(f"{count} of {name}" for name, count in done.rows.items()) or "none"
    head = "would forget" if ahead else "forgotten"
    lines = [f"{head}: {done.images} pictures, {done.files} files, rows: {rows}; never to be fetched again"]
    lines += [f"  {'trains' if ahead else 'had trained'} in {visible_line(line)}" for line in done.datasets]
    lines += [f"  may be in what {line} has learnt, and in its samples: train it anew" for line in done.runs]
    if done.next and not ahead:
        lines.append(f"next: {' && '.join(done.next)}   (and dvc gc, where DVC keeps old versions)")
    return "\n".join(lines)


def _is_address(what: str) -> bool:
    return bool(re.match(r"https?://|[0-9a-f]{64}$", what))


def _named(table: pa.Table, what: str) -> list[dict[str, str | None]]:
    """The rows that `what` names."""
    if re.fullmatch(r"[0-9a-f]{64}", what):
        columns = ["image_id"]
    else:
        columns = ["image_url", "final_url", "page_url"] if _is_address(what) else ["creator"]
    mask = pc.equal(table[columns[0]], what)
    for column in columns[1:]:
        mask = pc.or_kleene(mask, pc.equal(table[column], what))
    rows: list[dict[str, str | None]] = table.filter(mask).select(["candidate_id", "image_id", "image_url"]).to_pylist()
    return rows


def _looks(table: pa.Table | None, root: Path, ids: set[str]) -> Iterator[int]:
    """The perceptual hashes of the images called `ids`, as far as they are stored."""
    if table is not None and ids:
        found = table.filter(is_in(table["image_id"], ids))
        for path in sorted(set(pc.drop_null(found["path"]).to_pylist())):
            with contextlib.suppress(FileNotFoundError, codec.ImageError), reading(photo := inside(root, path)):
                yield phash.phash(codec.decode(photo.read_bytes()))


def _addresses(table: pa.Table | None, rows: set[str]) -> list[str]:
    """Where the images of these rows came from."""
    if table is None:
        return []
    found = table.filter(is_in(table["candidate_id"], rows))
    urls: list[str] = pc.drop_null(found["image_url"]).to_pylist()
    return urls


def _having(kind: manifest.Table, root: Path, columns: Iterable[str], ids: set[str]) -> set[str]:
    """The keys of the rows with one of `ids` in one of `columns`."""
    if not manifest.exists(kind, root):
        return set()
    table, wanted = manifest.read(kind, root), pa.array(sorted(ids), pa.string())
    return {key for column in columns for key in table.filter(pc.is_in(table[column], wanted))[kind.key].to_pylist()}


def _used(kind: manifest.Table, root: Path, keys: set[str]) -> Iterator[str]:
    """Where rows with these keys trained, as "table: domain, split"."""
    if manifest.exists(kind, root):
        table = manifest.read(kind, root)
        used = table.filter(is_in(table[kind.key], keys))
        used = used.filter(pc.equal(used["status"], manifest.ACCEPTED)) if kind.reasons else used
        for domain, split in zip(used["domain"].to_pylist(), used["split"].to_pylist(), strict=True):
            yield f"{kind.name}: {domain}, {split}"


def _runs(root: Path, domains: set[str]) -> Iterator[str]:
    """The runs whose settings name one of `domains`, or none at all and so the pairs."""
    for config in (folder / "config.json" for folder in entries(root / _RUNS)):
        with contextlib.suppress(*NOT_THERE, ValueError):
            with reading(config):
                named = (from_json(config.read_text("utf-8")).get("data") or {}).get("domains")
            used = set(named.values()) if isinstance(named, dict) else domains
            if domains & used:
                yield config.parent.relative_to(root).as_posix()


def _own_paths(kind: manifest.Table) -> list[str]:
    """The columns of `kind` that name files of its own."""
    return [name for name in kind.paths if name != "source_path"] if kind is not manifest.DATASET else []


def _translations(root: Path, ids: set[str]) -> list[Path]:
    """What was translated of one of the pictures `ids`, or with one as the article, and the notes beside it."""
    found: set[Path] = set()
    for notes in files_below(inside(root, _TRANSLATED)) if ids else ():
        if notes.suffix == ".json" and not notes.is_symlink():
            with reading(notes):
                text = notes.read_text("utf-8", errors="replace")
            if ids & set(_SHA256.findall(text)):
                found |= set(notes.parent.glob(f"{glob.escape(notes.stem)}.*"))
    return sorted(found)


def _remove(kind: manifest.Table, root: Path, keys: set[str]) -> tuple[int, int]:
    """Deletes the files of the rows with these keys, then the rows; returns how many of each."""
    if not keys or not manifest.exists(kind, root):
        return 0, 0
    table = manifest.read(kind, root)
    hit = is_in(table[kind.key], keys)
    gone, files = table.filter(hit), 0
    own = _own_paths(kind)
    if kind is manifest.CROPS:
        files += shards.remove(root, CROPS.pictures, {f"{crop}.png" for crop in keys})
    for path in {path for name in own for path in gone[name].to_pylist() if path and not shards.place(path)}:
        with contextlib.suppress(FileNotFoundError):
            inside(root, path).unlink()
            files += 1
    if gone.num_rows:
        manifest.write(kind, table.filter(pc.invert(hit)), root, meta=manifest.meta(kind, root))
    return gone.num_rows, files
