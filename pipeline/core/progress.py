"""How a long step tells what it is doing, without knowing who listens."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Task(Protocol):
    """One running step. Used as a context manager; leaving it ends the step's line."""

    def advance(self, n: int = 1, **notes: object) -> None:
        """`n` more items are done; `notes` are shown beside the count (accepted=12)."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """Where a long step reports to: a bar on a terminal, lines in a log, nothing in a test."""

    def task(self, name: str, total: int | None) -> Task:
        """Starts a step of `total` items, None when the number is not known yet."""

    def note(self, text: str) -> None:
        """One line for the person watching."""


class _Silent:
    def advance(self, n: int = 1, **notes: object) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def task(self, name: str, total: int | None) -> Task:
        return self

    def note(self, text: str) -> None: ...


SILENT: Progress = _Silent()
