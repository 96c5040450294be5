"""The one place that writes to a person's terminal: progress, lines, tables, errors, JSON.

Progress and notes go to stderr, results to stdout, so that `--json` can be piped.
"""

from __future__ import annotations

import re
import sys
import time
from dataclasses import asdict, is_dataclass
from types import TracebackType
from typing import Any, Self

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.progress import SILENT, Progress, Task
from curate.pipeline.core.terminal_text import guard_streams, json_text, unguarded, visible, visible_line

WIDE = 100  # columns of a terminal from which there is room for a bar


class Console:
    """What a command says, as loudly as the person asked: quiet, json, or for people."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json

    @property
    def progress(self) -> Progress:
        """Bars on a terminal, a line now and then in a log, nothing when quiet."""
        if self.quiet or self.as_json:
            return SILENT
        return _Bars() if sys.stderr.isatty() else _Lines()

    def say(self, text: str) -> None:
        """A line of the result, for people."""
        if not (self.quiet or self.as_json):
            sys.stdout.write(visible(text) + "\n")
            sys.stdout.flush()  # into a pipe, too: what serves a page says where, and then waits

    def result(self, value: Any, text: str) -> None:
        """The result: `value` as one JSON document under --json, else `text`."""
        if self.as_json:
            sys.stdout.write(json_text(value, ascii_only=_narrow(), default=_plain) + "\n")
        else:
            self.say(text)

    def ask(self, question: str) -> str | None:
        """What a person at the terminal answers, "" for nothing; None where there is none, or none to be asked."""
        if self.quiet or self.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        sys.stderr.write(visible(f"{question} "))
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    def agreed(self, about: str) -> bool:
        """Whether a person says yes to `about`; where nobody can be asked, in a script or a pipe, it counts as yes."""
        if self.quiet or self.as_json or not (sys.stdin and sys.stdin.isatty()):
            return True
        sys.stderr.write(f"{visible(about)}\ngo on? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def error(self, error: CurateError) -> None:
        """What is wrong and what to do next."""
        if self.as_json:
            document = {"error": error.message, "hint": error.hint, "code": error.code}
            sys.stdout.write(json_text(document, ascii_only=_narrow()) + "\n")
        sys.stderr.write(_entry(f"curate: {error}"))


def _narrow() -> bool:
    """Whether stdout lacks letters: JSON then has its own escapes for them."""
    return not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def _plain(value: Any) -> Any:
    """What JSON has no word for: dataclasses as objects, anything else as its text."""
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


class _Lines:
    """Plain lines for a log: at the start, every ten seconds, at the end."""

    def task(self, name: str, total: int | None) -> Task:
        return _Line(name, total)

    def note(self, text: str) -> None:
        sys.stderr.write(_entry(text))


class _Line:
    every = 10.0  # seconds

    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done, self.notes = visible_line(name), total, 0, ""
        self.started = self.last = time.monotonic()

    def advance(self, n: int = 1, **notes: object) -> None:
        self.done += n
        self.notes = "".join(f" {_note(key, value)}" for key, value in notes.items())
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            self._print()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._print()

    def _print(self) -> None:
        of = f"/{self.total}" if self.total is not None else ""
        rate = self.done / max(time.monotonic() - self.started, 1e-9)
        sys.stderr.write(f"{self.name}: {self.done}{of} ({rate:.1f}/s){self.notes}\n")


class _Bars:
    """A live bar per step."""

    def task(self, name: str, total: int | None) -> Task:
        return _Bar(name, total)

    def note(self, text: str) -> None:
        sys.stderr.write(_entry(text))


class _Bar:
    def __init__(self, name: str, total: int | None) -> None:
        from rich import progress  # rich costs 50 ms and only a terminal needs it
        from rich.table import Column

        console = _stderr()
        rest = Column(
            ratio=1, no_wrap=True, overflow="ellipsis"
        )  # on a narrow terminal the notes are cut, not the count
        self._bar = progress.Progress(
            progress.MofNCompleteColumn(table_column=Column(no_wrap=True)),
            progress.TimeRemainingColumn(table_column=Column(no_wrap=True)),
            progress.TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            *([progress.BarColumn(20)] if console.width >= WIDE else []),
            progress.TextColumn("{task.fields[notes]}", style="dim", markup=False, table_column=rest),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task(visible_line(name), total=total, notes="")

    def advance(self, n: int = 1, **notes: object) -> None:
        text = " ".join(_note(key, value) for key, value in notes.items())
        self._bar.update(self._task, advance=n, notes=text)

    def __enter__(self) -> Self:
        self._bar.start()
        guard_streams()  # rich has put streams of its own in the place of the guarded ones, until it stops
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _stderr() -> Any:
    from rich.console import Console as RichConsole

    stream = unguarded(sys.stderr)  # of a step within a step rich's own, before a guarded one
    return RichConsole(file=unguarded(getattr(stream, "rich_proxied_file", stream)))


def _entry(text: str) -> str:
    """One note or error: what further lines it has stand indented, so that no name in it passes for another one."""
    return visible(re.sub(r"\n(?!  )", "\n  ", text)) + "\n"


def _note(key: str, value: object) -> str:
    return visible_line(f"{key}={value}")
