"""The losses of a run as text: JSON lines for programs, a table for `dvc plots`, events for TensorBoard."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curate.pipeline.core.files import atomic_write, disk_error


class ScalarLogger:
    """Appends one line per tick to scalars.jsonl in `folder`, and keeps scalars.tsv and tensorboard/ in step with it.

    Lines after step `after`, written by a run that was killed before its next checkpoint, are dropped at the start:
    the run that goes on writes them again.
    """

    def __init__(self, folder: Path, after: int) -> None:
        self.path = folder / "scalars.jsonl"
        self.rows = [row for row in _read(self.path) if row["step"] <= after]
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(_line(row) for row in self.rows), "utf-8")
        self._events = _events(folder / "tensorboard", after)

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds the line of `step`."""
        row = {"step": step, **scalars}
        self.rows.append(row)
        with _named(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        if self._events is not None:
            for name, value in scalars.items():
                with _named(self.path.with_name("tensorboard")):
                    self._events.add_scalar(name, value, step)

    def table(self) -> None:
        """Writes scalars.tsv anew: a row per tick, a column per scalar, empty where it has none; and what was measured
        now and then, val/..., to scores.tsv alike.
        """
        scores = [{k: v for k, v in row.items() if k == "step" or k.startswith("val/")} for row in self.rows]
        ticks = [{k: v for k, v in row.items() if not k.startswith("val/")} for row in self.rows]
        _write_table(self.path.with_suffix(".tsv"), ticks)
        _write_table(self.path.with_name("scores.tsv"), [row for row in scores if len(row) > 1])

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


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, names or ["step"], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of `path`; a last one that a killed process left torn is not one."""
    text = path.read_text("utf-8") if path.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def _events(folder: Path, after: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter  # the package tensorboard is optional
    except ImportError:
        return None
    with _named(folder):
        return SummaryWriter(str(folder), purge_step=after + 1 if after else None)
