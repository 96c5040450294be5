"""`curate label`: says of each generated picture what is in it, by measures of its face or by somebody's table.

labels.parquet stands beside the manifest, one row for each picture in its order. `--by smile` gives the columns of
face_measures.MEASURES, and two answers: smile and smile_cascade, true above the threshold that parts the set best
(Otsu, 1979). A table gives its own columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.pipeline.core.errors import InterruptionError, UsageError, clipped, nearest
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.core.progress import SILENT, Progress
from curate.pipeline.imaging import codec
from curate.pipeline.tables.arrow import as_float
from curate.pipeline.tables.number_checks import LARGEST
from curate.train.latent import label_tables, picture_set
from curate.train.latent.face_measures import COLUMNS, MEASURES, FaceMeasures
from curate.train.latent.picture_set import LABELS, PictureSet

SMILE = "smile"
ANSWERS = {"smile": "smile_measure", "smile_cascade": "cascade"}  # of --by smile: from which measure each comes
_SHARE = 1 / 3  # of the pictures, at either end of a label that is a number


@dataclass(frozen=True)
class Labelled:
    """What became of a call."""

    pictures: int
    faces: int | None  # pictures with a face; None where none was looked for
    positive: Mapping[str, int]  # by answer
    thresholds: Mapping[str, float]
    agreement: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # of two answers: share, kappa


def run(
    pictures: PictureSet,
    by: Sequence[str],
    threshold: float | None = None,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> Labelled:
    """Writes labels.parquet: what `by` says, smile or files of tables, beside what stands there already.

    Pictures that were measured before are not measured again. Raises UsageError for a table that does not fit, and
    InterruptionError, after which the same command goes on.
    """
    tables = {name: label_tables.read(Path(name), pictures) for name in by if name != SMILE}
    columns = _known(pictures)
    target = pictures.folder / LABELS
    thresholds: dict[str, float] = {}
    with OutputPlan([target], [Path(name) for name in tables], force=force) as plan:
        if SMILE in by:
            try:
                _measure(pictures, columns, progress)
            except KeyboardInterrupt:
                _write(pictures, columns, plan)
                raise InterruptionError("interrupted: what was measured is kept", "the same command goes on") from None
            thresholds = _answer(columns, threshold)
        for table in tables.values():
            columns |= table
        _write(pictures, columns, plan)
    new = [name for name in columns if name in ANSWERS or any(name in table for table in tables.values())]
    flags = {name: found for name in new if (found := as_flags(columns[name])) is not None}
    measured = as_float(columns["smile_measure"]) if SMILE in by else None
    return Labelled(
        len(pictures.seeds),
        None if measured is None else int(np.isfinite(measured).sum()),
        {name: int(np.nansum(values)) for name, values in flags.items()},
        thresholds,
        {f"{a} and {b}": agreement(flags[a], flags[b]) for a, b in combinations(flags, 2)},
    )


def read(pictures: PictureSet) -> dict[str, pa.ChunkedArray]:
    """The columns of labels.parquet. Raises UsageError where it is missing or of other pictures."""
    columns = _known(pictures)
    if not columns:
        raise UsageError(
            f"{pictures.folder / LABELS}: these pictures have no labels yet",
            f"curate label {pictures.folder} --by smile, or --by a table of yours",
        )
    return columns


def classes(pictures: PictureSet, wanted: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pictures are one of two classes by the label `wanted`, and which of these are the positive ones: [n] each.

    A label of two values is one; of numbers the upper third is positive and the lower one is not; COLUMN=VALUE takes
    one value of several. Raises UsageError for a column that is not there and for labels that part nothing.
    """
    name, equals, value = wanted.partition("=")
    columns = read(pictures)
    where = pictures.folder / LABELS
    if name not in columns:
        known = clipped(", ".join(columns))
        raise UsageError(f"--label {name}: no column of {where}{nearest(name, columns)}", f"there are {known}")
    column = columns[name]
    if equals:
        texts = np.array([str(one) for one in column.to_pylist()])
        known_rows, positive = ~np.asarray(column.is_null()), texts == value
    else:
        known_rows, positive = _two_classes(column, name, where)
    if positive[known_rows].all() or not positive[known_rows].any():
        every = "all" if positive[known_rows].any() else "none"
        raise UsageError(
            f"--label {wanted}: {every} of {int(known_rows.sum())} labelled pictures {'have' if equals else 'are'} it",
            "more pictures, another label, or --threshold of curate label",
        )
    return known_rows, positive & known_rows


def measure_column(measure: str) -> str:
    """The column of labels.parquet that a measure of a face stands in."""
    return COLUMNS.get(measure, measure)


def as_numbers(column: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """A column of numbers, of truths as 0 and 1, or of nothing, with NaN for null; None for another one."""
    kinds = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    return as_float(column) if any(is_kind(column.type) for is_kind in kinds) else None


def as_measure(column: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """The same with NaN for what is beyond LARGEST, too: no face has such a measure."""
    values = as_numbers(column)
    return None if values is None else np.where(np.abs(values) <= LARGEST, values, np.nan)


def as_flags(column: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """A column of two values as 0, 1 and NaN; None for another one."""
    if (values := as_numbers(column)) is None:
        return None
    finite = np.isfinite(values)
    return np.where(finite, values, np.nan) if set(np.unique(values[finite])) <= {0.0, 1.0} else None


def agreement(first: NDArray[np.float64], second: NDArray[np.float64]) -> dict[str, float]:
    """How far two labellers, [n] of 0, 1 and NaN, agree on what both say: `share` of pictures, and Cohen's `kappa`,
    which is 0 for chance and 1 for always (Cohen, A Coefficient of Agreement for Nominal Scales, 1960)."""
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    if not len(a):
        return {"share": float("nan"), "kappa": float("nan")}
    share = float((a == b).mean())
    chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return {"share": share, "kappa": (share - chance) / (1 - chance) if chance < 1 else 1.0}


def otsu(values: NDArray[np.float64]) -> float:
    """The threshold that parts `values` into the two groups whose means lie furthest apart, weighted by their sizes
    (Otsu, A Threshold Selection Method from Gray-Level Histograms, 1979), halfway between two of them."""
    ordered = np.sort(values)
    count = np.arange(1, len(ordered))
    below = np.cumsum(ordered)[:-1]
    apart = below / count - (ordered.sum() - below) / (len(ordered) - count)
    best = int(np.argmax(count * (len(ordered) - count) * apart**2))
    return float((ordered[best] + ordered[best + 1]) / 2)


def _two_classes(column: pa.ChunkedArray, name: str, where: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if (flags := as_flags(column)) is not None:
        return np.isfinite(flags), flags == 1
    numbers = as_numbers(column)
    words = sorted({str(one) for one in column.to_pylist() if one is not None}) if numbers is None else []
    if words:
        raise UsageError(
            f"--label {name}: words, in {where}: {clipped(', '.join(words[:8]))}",
            f"say which: --label {name}={clipped(words[0])}",
        )
    if numbers is None or not np.isfinite(numbers).any():
        raise UsageError(f"--label {name}: empty in {where}", "another label")
    known = np.isfinite(numbers)
    low, high = np.quantile(numbers[known], [_SHARE, 1 - _SHARE])
    return known & ((numbers <= low) | (numbers >= high)), (numbers >= high) & (high > low)


def _known(pictures: PictureSet) -> dict[str, pa.ChunkedArray]:
    """The columns that stand there, for the pictures that there are now; nothing of pictures of other settings."""
    path = pictures.folder / LABELS
    if not path.is_file():
        return {}
    table, settings = picture_set.read_table(path)
    is_keyed = "seed" in table.column_names and table.schema.field("seed").type == pa.int64()
    if not is_keyed or settings.get("weights") != pictures.settings.get("weights"):
        return {}
    rows = {seed: row for row, seed in enumerate(table["seed"].to_pylist())}
    take = pa.array([rows.get(seed) for seed in pictures.seeds], pa.int64())
    return {name: table[name].take(take) for name in table.column_names if name not in ("seed", "path")}


def _measure(pictures: PictureSet, columns: dict[str, pa.ChunkedArray], progress: Progress) -> None:
    """Fills in the measures of the pictures that have none; what is done stands in `columns` however it ends."""
    names = [measure_column(name) for name in MEASURES]
    count = len(pictures.seeds)
    known = {name: as_measure(columns[name]) for name in names if name in columns}
    values = {name: np.full(count, np.nan) if (found := known.get(name)) is None else found for name in names}
    todo = [row for row in range(count) if not np.isfinite(values["brightness"][row])]
    measure = FaceMeasures() if todo else None
    try:
        with progress.task("label", len(todo)) as task:
            for row in todo:
                assert measure is not None
                for name, value in measure(_picture(pictures.files[row])).items():
                    values[measure_column(name)][row] = value
                task.advance()
    finally:
        columns |= {name: pa.chunked_array([_array(found)]) for name, found in values.items()}


def _answer(columns: dict[str, pa.ChunkedArray], threshold: float | None) -> dict[str, float]:
    """Adds both answers to `columns`; returns what they were parted by. Raises UsageError without two faces."""
    thresholds: dict[str, float] = {}
    for answer, measure in ANSWERS.items():
        values = as_float(columns[measure])
        known = values[np.isfinite(values)]
        if len(known) < 2:
            raise UsageError(f"{len(known)} faces were found: no label", "more pictures, or a table of labels: --by")
        thresholds[answer] = threshold if threshold is not None and answer == SMILE else otsu(known)
        flags = [bool(value > thresholds[answer]) if np.isfinite(value) else None for value in values]
        columns[answer] = pa.chunked_array([pa.array(flags, pa.bool_())])
    return thresholds


def _picture(path: Path) -> codec.RGB:
    try:
        return codec.decode(path.read_bytes())
    except (OSError, codec.ImageError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", "the same curate generate makes it anew") from None


def _array(values: NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _write(pictures: PictureSet, columns: Mapping[str, Any], plan: OutputPlan) -> None:
    keys = {"seed": pa.array(pictures.seeds, pa.int64()), "path": pa.array(pictures.paths, pa.string())}
    picture_set.write_table(pictures.folder / LABELS, pa.table({**keys, **columns}), pictures.settings, plan)
