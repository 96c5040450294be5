"""A folder of generated pictures: which there are, the w of each, and by which settings they were made.

manifest.parquet has a row for each picture: seed and path, relative to the folder; the settings stand in its metadata.
codes.safetensors has the w's in the same order, labels.parquet what `curate label` found.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import torch
from torch import Tensor

from curate.pipeline.core.confined_path import inside
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import UsageError, clipped, one_line
from curate.pipeline.core.outputs import OutputPlan
from curate.pipeline.tables import parquet_file
from curate.train.engine import safetensors_file

MANIFEST, CODES, LABELS = "manifest.parquet", "codes.safetensors", "labels.parquet"
_META = b"curate"
_MAKE = "make pictures: curate generate RUN --seeds 600-2599"


@dataclass(frozen=True)
class PictureSet:
    """What `curate generate` made in a folder."""

    folder: Path
    seeds: tuple[int, ...]
    paths: tuple[str, ...]
    settings: Mapping[str, Any]  # run, weights, psi, cutoff, noise, class, side, w_dim, num_ws

    @property
    def files(self) -> list[Path]:
        """Raises ConfinementError for a path that leads out of the folder."""
        return [inside(self.folder, path) for path in self.paths]

    def codes(self) -> Tensor:
        """ws [N, num_ws, w_dim], in the order of the seeds. Raises UsageError for a file that does not fit."""
        path = self.folder / CODES
        found = safetensors_file.read(path, _MAKE)[1].get("w")
        if found is None or found.ndim != 3 or len(found) != len(self.seeds):
            raise UsageError(f"{path}: not the w's of the {len(self.seeds)} pictures of {MANIFEST}", _MAKE)
        return found


def picture_name(seed: int) -> str:
    """The file of a seed's picture, as the official programs call it."""
    return f"seed{seed:04}.png"


def located(path: Path) -> Path:
    """The folder of `path`, which is the folder itself or its manifest."""
    return path.parent if path.name == MANIFEST else path


def read(path: Path) -> PictureSet:
    """The pictures in the folder `path`, or whose manifest it is. Raises UsageError where there are none."""
    found = find(path)
    if found is None:
        raise UsageError(f"{path}: no pictures of a generator: {located(path) / MANIFEST} is not there", _MAKE)
    if not found.seeds:
        raise UsageError(f"{path}: no picture is finished", "the same curate generate goes on")
    return found


def find(path: Path) -> PictureSet | None:
    """The same; None where nothing was generated. Raises UsageError for a manifest that is none."""
    folder = located(path)
    file = folder / MANIFEST
    if not file.is_file():
        return None
    table, settings = read_table(file)
    kinds = {name: table.schema.field(name).type for name in ("seed", "path") if name in table.column_names}
    nulls = sum(table[name].null_count for name in kinds)
    if kinds != {"seed": pa.int64(), "path": pa.string()} or nulls or "w_dim" not in settings:
        raise UsageError(f"{file}: not a manifest of generated pictures", _MAKE)
    return PictureSet(folder, tuple(table["seed"].to_pylist()), tuple(table["path"].to_pylist()), settings)


def write(found: PictureSet, codes: Tensor, plan: OutputPlan) -> None:
    """Writes the w's, then the manifest."""
    with plan.write(found.folder / CODES) as temporary:
        safetensors_file.write(temporary, {"w": codes.float()}, {"curate": json.dumps(dict(found.settings))})
    columns = {"seed": pa.array(found.seeds, pa.int64()), "path": pa.array(found.paths, pa.string())}
    write_table(found.folder / MANIFEST, pa.table(columns), found.settings, plan)


def read_table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """A Parquet table and the settings in its metadata. Raises UsageError for a file that is broken."""
    try:
        table = parquet_file.read(path)
        settings: dict[str, Any] = msgspec.convert(
            from_json(parquet_file.notes(path).get(_META, b"{}")), dict[str, Any]
        )
        if twice := [name for name in table.column_names if table.column_names.count(name) > 1]:
            raise ValueError(f"column {clipped(twice[0])}: there twice")
    except parquet_file.BROKEN as error:
        raise UsageError(f"{path}: broken: {one_line(error)}", "delete it and make it again") from None
    return table, settings


def write_table(path: Path, table: pa.Table, settings: Mapping[str, Any], plan: OutputPlan) -> None:
    """Writes `table` with `settings` in its metadata; equal content, equal bytes."""
    buffer = io.BytesIO()
    with parquet_file.writer(buffer, table.schema, {_META: json.dumps(settings, sort_keys=True).encode()}) as file:
        file.write_table(table)
    with plan.write(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def united(old: Sequence[int], new: Sequence[int]) -> list[int]:
    """The seeds of both, once each, rising."""
    return sorted({*old, *new})


def rows_of(codes: Tensor, seeds: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """Of `codes`, in the order of `seeds`, those of `wanted`."""
    place = {seed: row for row, seed in enumerate(seeds)}
    return codes[torch.tensor([place[seed] for seed in wanted], dtype=torch.long)]
