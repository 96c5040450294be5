"""Labels from somebody's table: CSV, JSON lines or Parquet, with a column seed or path that says of which picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from curate.pipeline.core.errors import UsageError, clipped
from curate.pipeline.tables import parquet_file
from curate.train.latent.picture_set import PictureSet

READERS: dict[str, Callable[[Path], Any]] = {
    ".csv": pa.csv.read_csv,
    ".tsv": lambda path: pa.csv.read_csv(path, parse_options=pa.csv.ParseOptions(delimiter="\t")),
    ".jsonl": pa.json.read_json,
    ".parquet": parquet_file.read,
}
_PATHS = ("path", "file", "filename", "image")  # what a column of file names is called


def read(path: Path, pictures: PictureSet) -> dict[str, pa.ChunkedArray]:
    """The columns of the table at `path`, null for pictures that it does not say anything of.

    Raises UsageError for a file that can't be read, has no key, no label, or knows none of the pictures.
    """
    table = _table(path)
    names = set(table.column_names)
    if "seed" in names:
        key, wanted = "seed", [str(seed) for seed in pictures.seeds]
    elif found := [name for name in _PATHS if name in names]:
        key, wanted = found[0], list(pictures.paths)
    else:
        raise UsageError(
            f"{path}: no column says of which picture a row is: {clipped(', '.join(table.column_names))}",
            f"call one of them seed, or {' or '.join(_PATHS)}",
        )
    rows = {_key(value): row for row, value in enumerate(table[key].to_pylist())}
    take = pa.array([rows.get(_key(value)) for value in wanted], pa.int64())
    if take.null_count == len(take):
        raise UsageError(f"{path}: says nothing of the {len(wanted)} pictures in {pictures.folder}", f"look at {key}")
    columns = {name: table[name].take(take) for name in table.column_names if name not in ("seed", *_PATHS)}
    if not columns:
        raise UsageError(f"{path}: no column of labels beside {key}", "add one, of true and false, numbers or words")
    return columns


def _table(path: Path) -> pa.Table:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"--by {path}: neither smile nor a table", f"--by smile, or a {', '.join(READERS)}")
    try:
        table = reader(path)
        if twice := [name for name in table.column_names if table.column_names.count(name) > 1]:
            raise ValueError(f"column {clipped(twice[0])}: there twice")
        return table
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "name a table of labels, or smile") from None
    except parquet_file.BROKEN as error:
        raise UsageError(f"{path}: cannot be read: {error}", f"a table as {', '.join(READERS)}") from None


def _key(value: object) -> str:
    """A picture by its file's name, without folders; a seed by its number."""
    return PurePosixPath(str(value).replace("\\", "/")).name
