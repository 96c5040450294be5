"""Whose face it is: crops grouped by person, so that nobody stands in training and in test.

A face becomes 128 numbers by dlib's face recognition network; those of one person lie within about 0.6 of one another.
So do those of many strangers in a large set, and whoever joined all that are near would soon have one person left.
Groups are joined by how far apart they are on average, the nearest first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.pipeline.core.config import digest
from curate.pipeline.core.errors import CurateError, TableError
from curate.pipeline.core.parallel import Engine, WorkerDied
from curate.pipeline.core.parallel import run as run_batches
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.faces import model_files
from curate.pipeline.faces.embedding import MODEL, FaceNet
from curate.pipeline.imaging import shards
from curate.pipeline.imaging.geometry import Points
from curate.pipeline.tables import manifest
from curate.pipeline.tables.partial import PartialTable
from curate.pipeline.tables.schema import POINTS

Embeddings = NDArray[np.float32]  # [n, 128]

_PARTIAL = f"{manifest.EMBEDDINGS.folder}/faces"
_BLOCK = 2048  # faces compared at once with all others


class FaceCrop(NamedTuple):
    """Where a face is."""

    path: str  # the crop
    landmarks: Points  # [68, 2], crop px


def run(distance: float, crops: pa.Table, root: Path, engine: Engine, progress: Progress = SILENT) -> list[str | None]:
    """For each of `crops` the crop_id that stands for its person; None where no landmarks tell where the face is.

    Embeddings are kept in processed/dedup/embeddings.parquet: only those of new crops are computed. They are the
    most personal thing in the project; `curate forget` and deleting the folder take them away. Raises ModelError
    without the model file and CurateError for a crop that can't be read.
    """
    model_files.path(MODEL)
    ids = crops["crop_id"].to_pylist()
    faces = {name: face for name, face in zip(ids, _faces(crops), strict=True) if face}
    made_by = digest([model_files.MODELS[MODEL].sha256, manifest.meta(manifest.CROPS, root).get("works")])
    partial = PartialTable(manifest.EMBEDDINGS, root, _PARTIAL)
    known = _known(root, partial, made_by)
    todo = [name for name in faces if name not in known]
    batches = [todo[start : start + engine.batch] for start in range(0, len(todo), engine.batch)]
    work = [[faces[name] for name in batch] for batch in batches]
    with progress.task("faces", len(todo)) as task:
        for batch, result in zip(batches, run_batches(Embedder, {"root": root.resolve()}, work, engine), strict=True):
            if isinstance(result, WorkerDied):
                raise CurateError(f"a process died on the face in {result.batch[0].path}", "run it again: curate dedup")
            found = dict(zip(batch, result, strict=True))
            partial.add(made_by, [{"crop_id": name, "embedding": row.tolist()} for name, row in found.items()])
            known |= found
            task.advance(len(batch))
    rows = [{"crop_id": name, "embedding": known[name].tolist()} for name in faces]
    manifest.write(manifest.EMBEDDINGS, manifest.from_rows(manifest.EMBEDDINGS, rows), root, {"made_by": made_by})
    partial.clear()
    names = sorted(faces)
    embeddings = np.stack([known[name] for name in names]) if names else np.zeros((0, 128), np.float32)
    person = dict(zip(names, (names[first] for first in people(embeddings, distance).tolist()), strict=True))
    return [person.get(name) for name in ids]


def _known(root: Path, partial: PartialTable, made_by: str) -> dict[str, NDArray[np.float32]]:
    """The embeddings that earlier runs left, by crop_id."""
    tables = [partial.read(made_by)]
    with suppress(TableError):  # missing or broken: they are made again
        if manifest.meta(manifest.EMBEDDINGS, root).get("made_by") == made_by:
            tables.append(manifest.read(manifest.EMBEDDINGS, root))
    table = pa.concat_tables(tables).drop_null()
    values = pc.list_flatten(table["embedding"].combine_chunks()).to_numpy(zero_copy_only=False)
    rows = values.astype(np.float32).reshape(-1, 128)
    return dict(zip(table["crop_id"].to_pylist(), rows, strict=True))


def _faces(crops: pa.Table) -> Iterator[FaceCrop | None]:
    columns = (crops[name].to_pylist() for name in ("path", "landmarks", "affine"))
    for path, landmarks, affine in zip(*columns, strict=True):
        if landmarks is None or affine is None:
            yield None
        else:
            matrix = np.reshape(affine, (2, 3))
            yield FaceCrop(path, np.reshape(landmarks, (POINTS, 2)) @ matrix[:, :2].T + matrix[:, 2])


class Embedder:
    """Turns batches of faces into embeddings; lives in each worker process."""

    def __init__(self, root: Path) -> None:
        cv2.setNumThreads(1)  # the processes are the parallelism
        self.root = root
        self.network = FaceNet()

    def __call__(self, faces: Sequence[FaceCrop]) -> Embeddings:
        """The embedding of each face, [n, 128]. Raises CurateError for a crop that can't be read."""
        return np.stack([self._embedding(face) for face in faces])

    def _embedding(self, face: FaceCrop) -> NDArray[np.float32]:
        return self.network(shards.load_picture(self.root, face.path, manifest.CROPS.made_by), face.landmarks)


def people(embeddings: Embeddings, distance: float) -> NDArray[np.int64]:
    """For each face [n, 128] the first face of the same person, [n].

    Average linkage: the two groups that are nearest are joined, as long as the root mean square of the distances
    between a face of the one and a face of the other is at most `distance`. Two groups that near hold two faces that
    are, so only such pairs are looked at; their number is what memory grows with.
    """
    values = embeddings.astype(np.float64)
    sums, squares, counts = values.copy(), np.square(values).sum(axis=1), np.ones(len(values), np.int64)
    near: list[dict[int, None]] = [{} for _ in values]  # groups with a face near one of this group's
    heap: list[tuple[float, int, int, int, int]] = []

    def apart(a: int, b: int) -> float:
        cross = 2 * float(sums[a] @ sums[b]) / float(counts[a] * counts[b])
        return float(squares[a] / counts[a] + squares[b] / counts[b]) - cross

    for a, b in _near(embeddings, distance):
        near[a][b] = near[b][a] = None
        heap.append((apart(a, b), a, b, 1, 1))
    heapq.heapify(heap)
    into = np.arange(len(values))
    while heap:
        square, a, b, many_a, many_b = heapq.heappop(heap)
        if square > distance**2:
            break
        if into[a] != a or into[b] != b or (counts[a], counts[b]) != (many_a, many_b):
            continue  # one of them has grown, or is gone
        into[b] = a
        sums[a] += sums[b]
        squares[a] += squares[b]
        counts[a] += counts[b]
        near[a] = {c: None for c in (*near[a], *near[b]) if c not in (a, b) and into[c] == c}
        near[b] = {}
        for c in near[a]:
            near[c].pop(b, None)
            near[c][a] = None
            first, second = sorted((a, c))
            heapq.heappush(heap, (apart(first, second), first, second, int(counts[first]), int(counts[second])))
    for face in range(len(into)):
        into[face] = into[into[face]]  # a group's first face comes before the others
    return into


def _near(embeddings: Embeddings, distance: float) -> Iterator[tuple[int, int]]:
    """Pairs of faces at most `distance` apart, the earlier first."""
    squares = np.square(embeddings).sum(axis=1)
    for start in range(0, len(embeddings), _BLOCK):
        block, after = embeddings[start : start + _BLOCK], embeddings[start:]
        apart = squares[start : start + _BLOCK, None] + squares[start:] - 2 * (block @ after.T)
        rows, columns = np.nonzero(np.triu(apart <= distance**2, 1))
        yield from zip((rows + start).tolist(), (columns + start).tolist(), strict=True)
