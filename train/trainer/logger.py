"""The losses of a run as text: JSON lines for programs, a table for `dvc plots`, events for TensorBoard."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from curate.pipeline.core.documents import from_json
from curate.pipeline.core.files import atomic_write, disk_error, reading

if TYPE_CHECKING:
    from curate.train.trainer.event_file import EventFile


class ScalarLogger:
    """Appends one line per tick to scalars.jsonl in `folder`, and keeps scalars.tsv and tensorboard/ in step with it.

    Lines after step `after`, written by a run that was killed before its next checkpoint, are dropped at the start:
    the run that goes on writes them again.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self.path = folder / "scalars.jsonl"
        self.rows = [row for row in _read(self.path) if 0 <= row.get("step", -1) <= after]
        self.measured = [row for row in self.rows if _is_measured(row)]
        self._tables: dict[Path, tuple[list[str], int]] = {}  # columns and rows of what is written of each
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(_line(row) for row in self.rows), "utf-8")
        self._events = _events(folder / "tensorboard", after)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds the line of `step`."""
        row = {"step": step, **scalars}
        self.rows.append(row)
        if _is_measured(row):
            self.measured.append(row)
        with _named(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        if self._events is not None:
            with _named(self.path.with_name("tensorboard")):
                self._events.write(step, scalars)

    def table(self) -> None:
        """Brings scalars.tsv up to date: a row per tick, a column per scalar, empty where it has none; and what was
        measured now and then, val/..., in scores.tsv alike. Lines are added, and only a new column writes all anew.
        """
        self._extend(self.path.with_suffix(".tsv"), self.rows, lambda name: not name.startswith("val/"))
        scores = self.path.with_name("scores.tsv")
        self._extend(scores, self.measured, lambda name: name == "step" or name.startswith("val/"))

    def _extend(self, path: Path, rows: Sequence[Mapping[str, Any]], shown: Callable[[str], bool]) -> None:
        names, written = self._tables.get(path, ([], 0))
        new = [{k: v for k, v in row.items() if shown(k)} for row in rows[written:]]
        columns = list(dict.fromkeys([*names, *(name for row in new for name in row)]))
        if columns == names and path.is_file():
            with _named(path), path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n").writerows(new)
        else:
            _write_table(path, [{k: v for k, v in row.items() if shown(k)} for row in rows], columns)
        self._tables[path] = columns, len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            with _named(self.path.with_name("tensorboard")) if error is None else suppress(OSError):
                self._events.close()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Within the block, a disk that refuses is a CurateError that names `path`."""
    try:
        yield
    except OSError as error:
        hint = "free some space or mend the rights; the same command goes on from the last checkpoint"
        raise disk_error(path, error, hint) from error


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns or ["step"], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _is_measured(row: Mapping[str, Any]) -> bool:
    return any(name.startswith("val/") for name in row)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines of `path` that tell of a step: not one that a killed process left torn, nor any other garbage."""
    with reading(path):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    return [row for line in whole.split("\n") if (row := _row(line)) is not None]


def _row(line: str) -> dict[str, Any] | None:
    try:
        return msgspec.convert(from_json(line), dict[str, int | float]) if '"step"' in line else None
    except (ValueError, msgspec.ValidationError):
        return None


def _events(folder: Path, after: int) -> EventFile | None:
    try:
        from curate.train.trainer.event_file import EventFile  # the package tensorboard is optional
    except ImportError:
        return None
    with _named(folder):
        return EventFile(folder, after)
