"""Cuts the faces out of the fetched images and measures them: manifests/crops.parquet and processed/crops.

Work is keyed by content. An image whose rows stand in the table that was made before, or in a part file of a run that
was interrupted, is not opened again while it is looked at and framed by the same rules; thresholds are applied to the
rows. So a run that is killed goes on where it stopped, a run after new images were fetched opens those alone, and
another threshold opens only the images whose crops it newly accepts. Another framing cuts again without a second
detection. Whichever way, table and files equal those of one run over everything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.pipeline.core import config
from curate.pipeline.core.at_work import at_work
from curate.pipeline.core.config import digest
from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.errors import DetectorLostError, ModelError
from curate.pipeline.core.files import atomic_write
from curate.pipeline.core.parallel import Engine, WorkerDied
from curate.pipeline.core.parallel import run as run_batches
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.crop import resume, rows, storage
from curate.pipeline.crop.config import Crop
from curate.pipeline.crop.placing import Numbers, Placing
from curate.pipeline.crop.rows import CropInput, Row
from curate.pipeline.faces.alignment import Aligner, Cut, alignment, prepare
from curate.pipeline.faces.config import CropRules
from curate.pipeline.faces.detected import DetectedFace
from curate.pipeline.faces.placed import joined
from curate.pipeline.imaging import codec, shards
from curate.pipeline.tables import arrow, manifest, provenance
from curate.pipeline.tables.partial import PartialTable
from curate.pipeline.tables.schema import CROPS

VERSION = 5  # of the crops' pixels and numbers: raise it when they change, and nothing made before is used again


class Batch(NamedTuple):
    """Images that are cut by the same rules."""

    rules: str  # their digest
    work: str  # the name of what the rows are made by
    items: tuple[CropInput, ...]
    known: tuple[tuple[DetectedFace, ...] | None, ...]  # the faces of each image that was looked at before
    placed: tuple[tuple[Numbers, ...], ...]  # where persons have placed faces in each image


@at_work(writes=["crops"])
def run(section: Crop, root: Path, *, engine: Engine | None = None, progress: Progress = SILENT) -> manifest.Summary:
    """Writes manifests/crops.parquet and one PNG for each accepted face.

    Every image accepted by scrape that has no role gets a row for each face found, or one that says why there is
    none. Memory holds a few images and the rows, not the pictures. A domain whose model file can't be had is refused
    with the reason no_model and tried again by the next run. Raises UsageError for a bad rule or detector, TableError
    for images.parquet, ModelError when no domain has its model, CurateError for a disk that refuses.
    """
    engine = engine or Engine()
    inputs = provenance.inputs(CROPS, root)
    items = rows.read(root)
    rules = {domain: section.rules(domain) for domain in sorted(pc.unique(items["domain"]).to_pylist())}
    works = {domain: resume.work(own, VERSION) for domain, own in rules.items()}
    barred = _without_model(rules, progress)
    partial = PartialTable(manifest.CROPS, root, f"{CROPS.pictures}/.parts")
    placing = Placing(root, rules, progress)
    before = resume.finished(root, partial, works, rules, placing)
    left = items.filter(pc.invert(rows.among(items, before)))
    out = arrow.is_in(left["domain"], barred)
    todo = left.filter(pc.invert(out))
    batches = _batches(todo, rules, works, resume.Faces(root, partial, works, placing, todo), placing, engine.batch)
    settings = {"root": root.resolve(), "rules": {digest(config.as_dict(own)): own for own in rules.values()}}
    lost = list(_work(batches, settings, engine, partial, progress, todo.num_rows))
    lost += [_without_faces(item, "no_model", rules[item.domain]) for item in rows.items(left.filter(out))]
    made = resume.finished(root, partial, works, rules, placing, todo)
    data = _current(pa.concat_tables([before, made, manifest.from_rows(manifest.CROPS, lost)]), items)
    del batches, left, todo, before, made
    if gone := resume.gone(root, items):
        shards.remove(root, CROPS.pictures, {f"{crop}.png" for crop in gone})
    if pc.count(data["path"]).as_py() > section.shard_above:
        data = storage.packed(data, root, section.shard_size, progress)
    os.sync()  # the pictures reach the disk before the table that names them
    meta = {"section": config.as_dict(section), "works": works, provenance.INPUTS: inputs}
    manifest.write(manifest.CROPS, data, root, meta)
    storage.sweep(root, arrow.iterate(data["path"]))
    partial.clear()
    return manifest.summarize(manifest.CROPS, data)


def _without_model(rules: dict[str, CropRules], progress: Progress) -> set[str]:
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


def _batches(
    todo: pa.Table,
    rules: dict[str, CropRules],
    works: dict[str, resume.Work],
    faces: resume.Faces,
    placing: Placing,
    size: int,
) -> Iterator[Batch]:
    """`todo` in batches of one set of rules each, photos in which persons have placed faces apart from the others."""
    groups: dict[str, list[str]] = {}
    for domain, own in rules.items():
        groups.setdefault(digest(config.as_dict(own)), []).append(domain)
    for name, domains in groups.items():
        own, placed = arrow.is_in(todo["domain"], domains), placing.among(todo)
        for ending, mask in (("", pc.and_not(own, placed)), (placing.work, pc.and_(own, placed))):
            places = np.flatnonzero(mask)
            for start in range(0, len(places), size):
                chosen = places[start : start + size]
                known = tuple(faces.at(place) for place in chosen)
                items = rows.items(todo.take(pa.array(chosen)))
                yield Batch(name, works[domains[0]].name + ending, items, known, tuple(map(placing.at, items)))


def _work(
    batches: Iterable[Batch],
    settings: dict[str, Any],
    section: Engine,
    partial: PartialTable,
    progress: Progress,
    total: int,
) -> Iterator[Row]:
    """Cuts every batch into `partial`; yields the rows that the next run should try again."""
    died: list[Batch] = []
    accepted = 0
    with progress.task("crop", total) as task:
        for result in run_batches(CropWorker, settings, batches, section):
            if isinstance(result, WorkerDied):
                # Only one of its images need be the killer: each is tried alone.
                name, work, *columns = result.batch
                died += [Batch(name, work, *((value,) for value in one)) for one in zip(*columns, strict=True)]
                continue
            work, found = result
            partial.add(work, [row for row in found if row["reason"] not in resume.TRANSIENT])
            yield from (row for row in found if row["reason"] in resume.TRANSIENT)
            accepted += sum(row["status"] == manifest.ACCEPTED for row in found)
            task.advance(len({(row["domain"], row["image_id"]) for row in found}), accepted=accepted)
        for result in run_batches(CropWorker, settings, died, section):
            if isinstance(result, WorkerDied):
                own = settings["rules"][result.batch.rules]
                yield from (_without_faces(item, "worker_died", own) for item in result.batch.items)
            else:
                partial.add(*result)
            task.advance()


class CropWorker:
    """Cuts batches of images; lives in each worker process, with the models of the rules it has met."""

    def __init__(self, root: Path, rules: dict[str, CropRules]) -> None:
        cv2.setNumThreads(1)  # the processes are the parallelism
        self.root = root
        self.rules = rules
        self.aligners: dict[str, Aligner] = {}

    def __call__(self, batch: Batch) -> tuple[str, list[Row]]:
        """The name of the work and the rows of the batch; the crops are written."""
        if batch.rules not in self.aligners:
            self.aligners[batch.rules] = Aligner(self.rules[batch.rules])
        aligner = self.aligners[batch.rules]
        photos = zip(batch.items, batch.known, batch.placed, strict=True)
        return batch.work, [row for photo in photos for row in self._rows(aligner, *photo)]

    def _rows(
        self,
        aligner: Aligner,
        item: CropInput,
        known: tuple[DetectedFace, ...] | None,
        placed: tuple[Numbers, ...],
    ) -> list[Row]:
        rules, align = aligner.rules, aligner.align
        if known == () and not placed and align != "none":
            return [rows.image_row(item, "no_face", rules, align)]
        try:
            data = shards.read_photo(self.root, item.path, item.image_id)
        except OSError:
            return [rows.image_row(item, "missing_file", rules, align)]
        except shards.ChangedPhotoError:
            return [rows.image_row(item, "changed", rules, align)]
        try:
            count, cuts = _cuts(aligner, data, known, placed)
        except codec.ImageError as error:
            reason = "bomb" if error.reason == "bomb" else "decode_failed"
            return [rows.image_row(item, reason, rules, align)]
        except DetectorLostError:
            return [rows.image_row(item, "worker_died", rules, align)]
        if not cuts:
            return [rows.image_row(item, "no_face", rules, align)]
        found = [rows.face_row(item, cut, rules, align, count) for cut in cuts]
        for row, cut in zip(found, cuts, strict=True):
            if path := row.get("path"):
                with atomic_write(inside(self.root, path), durable=False) as temporary:
                    temporary.write_bytes(codec.encode_png(cut.image))
        return found


def _cuts(
    aligner: Aligner, data: bytes, known: Sequence[DetectedFace] | None, placed: Sequence[Numbers]
) -> tuple[int, list[Cut]]:
    """How many faces the photo in `data` shows, and their crops; a large photo is decoded whole only for faces.

    Raises ImageError.
    """
    views = Views(data)
    if known is None:
        known = aligner.find_in(views)
    if placed:
        known = joined(known, [aligner.placed(views.whole, numbers) for numbers in placed])
    return len(known), aligner.cut(views.whole, known) if known or aligner.search is None else []


class Views:
    """A photo at the sizes that it is asked for; decoded whole once, and only where a part of its px does not do."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, side: int) -> tuple[codec.RGB, int]:
        """The photo at 1/n of its size, its longer side at least `side` px or whole, and n. Raises ImageError."""
        if "whole" not in self.__dict__ and (small := codec.preview(self.data, side)) is not None:
            return small
        return self.whole, 1

    @cached_property
    def whole(self) -> codec.RGB:
        """All of its px. Raises ImageError."""
        return codec.decode(self.data)


def _without_faces(item: CropInput, reason: str, rules: CropRules) -> Row:
    return rows.image_row(item, reason, rules, alignment(rules))


def _current(data: pa.Table, items: pa.Table) -> pa.Table:
    """The rows of `items` in `data`, with their paths and licences as scrape knows them now."""
    places = pc.index_in(rows.key(data), value_set=rows.key(items))
    data, places = arrow.filter_rows(data, pc.is_valid(places)), pc.drop_null(places)
    for name, known in (("source_path", "path"), ("license", "license")):
        data = arrow.replace_column(data, name, items[known].take(places))
    return data
