"""The files below processed/crops: where a domain's crops stand, packing them into shards, and tidying up."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import shards
from curate.pipeline.tables import arrow
from curate.pipeline.tables.schema import CROPS


def folder_of(domain: str) -> str:
    """The folder of the crops of `domain`: named like it, or, where file systems object, made safe and told apart."""
    safe = re.sub(r"[^\w.-]|^\.", "_", domain)[:60]
    if safe != domain:
        safe += "-" + hashlib.sha256(domain.encode()).hexdigest()[:8]
    return f"{CROPS.pictures}/{safe}"


def packed(data: pa.Table, root: Path, size: int, progress: Progress = SILENT) -> pa.Table:
    """`data`, rows of crops.parquet, with every crop that is a file of its own packed into shards of `size` crops.

    Shards that stand stay as they are, but for those of which less than half is still named by a row: what they hold is
    packed anew. The files remain until `sweep`, so a run that is killed on the way has lost nothing. Raises
    CurateError for a disk that refuses.
    """
    order = pc.sort_indices(data, [("domain", "ascending"), ("crop_id", "ascending")])
    small = data.select(["domain", "path"]).take(order)
    loose = pc.fill_null(pc.invert(pc.match_substring(small["path"], ".tar/")), False)
    for shard in _worn(root, small["path"]):
        loose = pc.or_(loose, pc.fill_null(pc.starts_with(small["path"], f"{shard}/"), False))
    packed: list[pa.Array] = []
    with progress.task("pack", pc.sum(loose).as_py() or 0) as task:
        for domain in pc.unique(small["domain"]).to_pylist():
            own = small["path"].filter(pc.and_(loose, pc.equal(small["domain"], domain)))
            for start in range(0, len(own), size):
                chosen = own.slice(start, size).to_pylist()
                pictures = ((_name(path), shards.read(root, path)) for path in chosen)
                packed.append(pa.array(shards.pack(root, folder_of(domain), pictures), pa.string()))
                task.advance(len(chosen))
    if not packed:
        return data
    paths = pc.replace_with_mask(small["path"], loose.combine_chunks(), pa.concat_arrays(packed))
    return arrow.replace_column(data, "path", paths.take(pc.sort_indices(order)))


def _worn(root: Path, paths: pa.ChunkedArray) -> list[str]:
    """The shards of which less than half is named by `paths`."""
    named: Counter[str] = Counter()
    for path in arrow.iterate(paths):
        if path and (place := shards.place(path)):
            named[place.shard] += place.size
    return [shard for shard, size in named.items() if size < (root / shard).stat().st_size / 2]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def sweep(root: Path, wanted: Iterable[str | None]) -> None:
    """Deletes crops and shards that no row names any more, what killed writers left, and folders left empty."""
    files = {shards.file(path) for path in wanted if path}
    for folder, _, names in os.walk(inside(root, CROPS.pictures), topdown=False):
        here = Path(folder)
        relative = here.relative_to(root).as_posix()
        for name in names:
            if name.endswith(".tmp") or (name.endswith((".png", ".tar")) and f"{relative}/{name}" not in files):
                (here / name).unlink(missing_ok=True)
        if relative != CROPS.pictures:
            with suppress(OSError):
                here.rmdir()  # only when it is empty
