"""Cuts the faces out of the fetched images and measures them: manifests/crops.parquet and processed/crops.

Work is keyed by content. An image whose rows stand in the table that was made before, by the same rules, or in a part
file of a run that was interrupted, is not opened again; so a run that is killed goes on where it stopped, and a run
after new images were fetched opens those alone. Either way table and files equal those of one run over everything.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import images, manifest, params, store
from pipeline.align import Aligner, Cut, prepare
from pipeline.engine import WorkerDied
from pipeline.engine import run as run_batches
from pipeline.errors import ModelError, TableError
from pipeline.parts import Parts, digest
from pipeline.progress import SILENT, Progress

VERSION = 1  # of the crops' pixels and numbers: raise it when they change, and nothing made before is used again

_TRANSIENT = frozenset({"missing_file", "worker_died", "no_model"})  # tried again by the next run


class Item(NamedTuple):
    """An image to cut."""

    image_id: str
    path: str
    domain: str
    license: str


class Batch(NamedTuple):
    """Images that are cut by the same rules, named by their digest."""

    rules: str
    items: tuple[Item, ...]


Row = dict[str, Any]


def run(
    section: params.Crop, root: Path, *, engine: params.Engine | None = None, progress: Progress = SILENT
) -> manifest.Summary:
    """Writes manifests/crops.parquet and one PNG for each accepted face.

    Every image accepted by scrape that has no role gets a row for each face found, or one that says why there is
    none. Memory holds a few images and the rows, not the pictures. A domain whose model file can't be had is refused
    with the reason no_model and tried again by the next run. Raises UsageError for a bad rule or detector, TableError
    for images.parquet, ModelError when no domain has its model, CurateError for a disk that refuses.
    """
    engine = engine or params.Engine()
    items = _items(root)
    rules = {domain: section.rules(domain) for domain in sorted({item.domain for item in items})}
    names = {domain: digest({"version": VERSION, **params.as_dict(own)}) for domain, own in rules.items()}
    barred = _without_model(rules, progress)
    parts = Parts(manifest.CROPS, root / store.FOLDER / ".parts")
    done = _keys(_done(root, parts, names))
    todo = [item for item in items if (item.domain, item.image_id) not in done and item.domain not in barred]
    batches = _batches(todo, names, engine.batch)
    settings = {"root": root, "rules": {names[domain]: own for domain, own in rules.items()}}
    lost = list(_work(batches, settings, engine, parts, progress, len(todo)))
    lost += [_row(item, "no_model", rules[item.domain].detector) for item in items if item.domain in barred]
    data = pa.concat_tables([_done(root, parts, names), manifest.from_rows(manifest.CROPS, lost)])
    data = _current(data, items)
    os.sync()  # the pictures reach the disk before the table that names them
    manifest.write(manifest.CROPS, data, root, meta={"section": params.as_dict(section), "rules": names})
    store.sweep(root, set(data["path"].to_pylist()))
    parts.clear()
    return manifest.summarize(manifest.CROPS, data)


def _without_model(rules: dict[str, params.CropRules], progress: Progress) -> set[str]:
    """The domains whose detector or landmarks need a file that can't be had; fetches files, once, for all workers."""
    missing: dict[str, ModelError] = {}
    for domain, own in rules.items():
        try:
            prepare(own)
        except ModelError as error:
            missing[domain] = error
    if missing and len(missing) == len(rules):
        raise next(iter(missing.values()))
    for domain, why in missing.items():
        progress.note(f"{domain}: left out: {why.message}\n  {why.hint}")
    return set(missing)


def _items(root: Path) -> list[Item]:
    data = manifest.accepted(manifest.read(manifest.IMAGES, root))
    rows = data.filter(pc.is_null(data["role"])).select(["domain", "image_id", "path", "license"]).to_pylist()
    unique = {(row["domain"], row["image_id"]): Item(**row) for row in rows}
    return [unique[key] for key in sorted(unique)]


def _batches(todo: list[Item], names: dict[str, str], size: int) -> list[Batch]:
    """`todo` in batches of one set of rules each."""
    groups: dict[str, list[Item]] = {}
    for item in todo:
        groups.setdefault(names[item.domain], []).append(item)
    return [
        Batch(name, tuple(group[start : start + size]))
        for name, group in groups.items()
        for start in range(0, len(group), size)
    ]


def _keys(rows: pa.Table) -> set[tuple[str, str]]:
    return set(zip(rows["domain"].to_pylist(), rows["image_id"].to_pylist(), strict=True))


def _done(root: Path, parts: Parts, names: dict[str, str]) -> pa.Table:
    """The rows of images that need not be opened: made by the same rules, and their crops are there."""
    found = [manifest.empty(manifest.CROPS)]
    if manifest.exists(manifest.CROPS, root):
        with suppress(TableError):  # a broken table counts as none
            before = manifest.meta(manifest.CROPS, root).get("rules", {})
            same = [domain for domain, name in names.items() if before.get(domain) == name]
            table = manifest.read(manifest.CROPS, root)
            found.append(table.filter(pc.is_in(table["domain"], value_set=pa.array(same, pa.string()))))
    for name in sorted(set(names.values())):
        found.append(parts.read(name))
    rows = pa.concat_tables(found)
    rows = rows.filter(pc.invert(pc.is_in(rows["reason"], value_set=pa.array(sorted(_TRANSIENT)))))
    present = pa.array(sorted(path for path, size in store.files(root) if size), pa.string())
    whole = pc.or_(pc.is_null(rows["path"]), pc.is_in(rows["path"], value_set=present))
    broken = _keys(rows.filter(pc.invert(whole)))
    keep, seen = [], set()
    for domain, image, crop in zip(*(rows[c].to_pylist() for c in ("domain", "image_id", "crop_id")), strict=True):
        keep.append((domain, image) not in broken and crop not in seen)
        seen.add(crop)
    return rows.filter(pa.array(keep, pa.bool_()))


def _work(
    batches: Iterable[Batch],
    settings: dict[str, Any],
    section: params.Engine,
    parts: Parts,
    progress: Progress,
    total: int,
) -> Iterator[Row]:
    """Cuts every batch into `parts`; yields the rows that the next run should try again."""
    died: list[Batch] = []
    accepted = 0
    with progress.task("crop", total) as task:
        for result in run_batches(Worker, settings, batches, section):
            if isinstance(result, WorkerDied):
                # Only one of its images need be the killer: each is tried alone.
                died += [Batch(result.batch.rules, (item,)) for item in result.batch.items]
                continue
            name, rows = result
            parts.add(name, [row for row in rows if row["reason"] not in _TRANSIENT])
            yield from (row for row in rows if row["reason"] in _TRANSIENT)
            accepted += sum(row["status"] == manifest.ACCEPTED for row in rows)
            task.advance(len({(row["domain"], row["image_id"]) for row in rows}), accepted=accepted)
        for result in run_batches(Worker, settings, died, section):
            if isinstance(result, WorkerDied):
                yield from (_row(item, "worker_died") for item in result.batch.items)
            else:
                parts.add(*result)
            task.advance()


class Worker:
    """Cuts batches of images; lives in each worker process, with the models of the rules it has met."""

    def __init__(self, root: Path, rules: dict[str, params.CropRules]) -> None:
        cv2.setNumThreads(1)  # the processes are the parallelism
        self.root = root
        self.rules = rules
        self.aligners: dict[str, Aligner] = {}

    def __call__(self, batch: Batch) -> tuple[str, list[Row]]:
        """The digest of the rules and the rows of the batch; the crops are written."""
        if batch.rules not in self.aligners:
            self.aligners[batch.rules] = Aligner(self.rules[batch.rules])
        aligner = self.aligners[batch.rules]
        return batch.rules, [row for item in batch.items for row in self._cut(aligner, item)]

    def _cut(self, aligner: Aligner, item: Item) -> list[Row]:
        rules = aligner.rules
        detector = rules.detector if aligner.detect else "none"
        try:
            data = (self.root / item.path).read_bytes()
        except OSError:
            return [_row(item, "missing_file", detector, aligner.align)]
        try:
            cuts = aligner(images.decode(data))
        except images.ImageError as error:
            reason = "bomb" if error.reason == "bomb" else "decode_failed"
            return [_row(item, reason, detector, aligner.align)]
        if not cuts:
            return [_row(item, "no_face", detector, aligner.align)]
        faces = sum(cut.box is not None for cut in cuts)
        return [self._face(item, cut, _row(item, cut.reason, detector, aligner.align, faces), rules) for cut in cuts]

    def _face(self, item: Item, cut: Cut, row: Row, rules: params.CropRules) -> Row:
        crop_id = _crop_id(item, cut, row["detector"], row["align"], rules)
        path = None
        if cut.reason == manifest.OK and cut.image is not None:
            path = f"{store.folder_of(item.domain)}/{crop_id[:2]}/{crop_id}.png"
            with manifest.replacing(self.root / path, durable=False) as temporary:
                temporary.write_bytes(images.encode_png(cut.image))
        return row | {
            "crop_id": crop_id,
            "face_index": cut.index,
            "box": cut.box,
            "score": cut.score,
            "landmarks": None if cut.landmarks is None else cut.landmarks.ravel(),
            "roll": cut.roll,
            "affine": cut.affine.ravel(),
            "face_px": cut.box.side if cut.box else None,
            "upscale": cut.upscale,
            "padding": cut.padding,
            "sharpness": cut.sharpness,
            "brightness": cut.brightness,
            "path": path,
        }


def _row(item: Item, reason: str, detector: str = "none", align: str = "none", faces: int = 0) -> Row:
    """What is known of an image without any of its faces."""
    return {
        "crop_id": _hashed(item.domain, item.image_id, "no face"),
        "image_id": item.image_id,
        "source_path": item.path,
        "domain": item.domain,
        "license": item.license,
        "detector": detector,
        "align": align,
        "faces": faces,
        "face_index": -1,
        "status": manifest.ACCEPTED if reason == manifest.OK else manifest.REJECTED,
        "reason": reason,
    }


def _crop_id(item: Item, cut: Cut, detector: str, align: str, rules: params.CropRules) -> str:
    """Names a crop by what it shows: image, face and framing. Thresholds don't change it, so decisions stay valid."""
    box = [round(value, 1) for value in cut.box] if cut.box else []
    frame = [rules.margin, rules.rotate] if align == "box" else []
    return _hashed(item.domain, item.image_id, detector, align, rules.size, *frame, *box)


def _hashed(*values: object) -> str:
    return hashlib.sha256("\0".join(map(str, values)).encode()).hexdigest()[:32]


def _current(rows: pa.Table, items: list[Item]) -> pa.Table:
    """The `rows` of `items`, with their paths and licences as scrape knows them now."""
    known = {(item.domain, item.image_id): item for item in items}
    keys = list(zip(rows["domain"].to_pylist(), rows["image_id"].to_pylist(), strict=True))
    rows = rows.filter(pa.array([key in known for key in keys], pa.bool_()))
    found = [known[key] for key in keys if key in known]
    for name, values in (("source_path", [i.path for i in found]), ("license", [i.license for i in found])):
        index = rows.schema.get_field_index(name)
        rows = rows.set_column(index, rows.schema.field(index), pa.array(values, pa.string()))
    return rows
