"""Who works where: what a command writes, no other one writes or reads meanwhile; any number may read.

A stage says in one line what it reads and writes. The second command is told who is at work there, or, by `--wait`,
waits until that one has ended. The locks end with their processes, however these end.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from curate.pipeline.core.confined_path import refuse_link_out
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import WRITE_HINT
from curate.pipeline.core.locks import exclusive_lock, waiting_lock

P = ParamSpec("P")
R = TypeVar("R")

# What is locked as one below a root, a table with its pictures mostly, and its lock file; in the one order in which
# locks are taken, so that no two commands wait for each other. Photos are no place: scraping only adds to them.
PLACES = {
    "crops": "manifests/.crops.lock",
    "dedup": "manifests/.dedup.lock",
    "pairs": "manifests/.pairs.lock",
    "dataset": "manifests/.dataset.lock",
    "report": "manifests/.report.lock",
}
IN_FOLDER = ".curate.lock"  # in a folder that a command writes, while it does

_waits: ContextVar[Callable[[str], None] | None] = ContextVar("waits", default=None)


@contextmanager
def waiting(note: Callable[[str], None]) -> Iterator[None]:
    """Within the block nobody is refused: `note` is told who is waited for."""
    token = _waits.set(note)
    try:
        yield
    finally:
        _waits.reset(token)


def at_work(
    *, writes: Collection[str] = (), reads: Collection[str] = (), folder: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes of a function with a parameter `root` one that holds these PLACES below it while it runs, and the folder
    that is its argument `folder`. It raises UsageError, too, while others are at work there.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def locked(*args: P.args, **kwargs: P.kwargs) -> R:
            given = signature.bind(*args, **kwargs).arguments
            with hold(given["root"], writes=writes, reads=reads, folders=[given[folder]] if folder else ()):
                return function(*args, **kwargs)

        return locked

    return decorate


@contextmanager
def hold(
    root: Path = Path(), *, writes: Collection[str] = (), reads: Collection[str] = (), folders: Iterable[Path] = ()
) -> Iterator[None]:
    """Within the block no other process writes these PLACES below `root` and these folders, nor reads what is written.

    Raises UsageError while one does, ConfinementError for a link that leads out of `root`, and CurateError for a disk
    that refuses.
    """
    with ExitStack() as stack:
        for name, place in PLACES.items():
            lock = root / place
            if name in (*writes, *reads) and lock.parent.is_dir():  # else there is nothing yet
                refuse_link_out(lock, root)
                stack.enter_context(claim(lock, f"{lock.parent / name}", shared=name not in writes))
        for folder in sorted({folder.resolve() for folder in folders}):
            stack.enter_context(_folder(folder))
        yield


@contextmanager
def claim(lock: Path, place: str, hint: str = WRITE_HINT, *, shared: bool = False) -> Iterator[None]:
    """Within the block this process has the file `lock`, which stands for `place`. Raises like `hold`."""
    if note := _waits.get():
        with waiting_lock(lock, lambda owner: note(f"waiting: {_taken(place, owner)}"), shared=shared):
            yield
    else:
        with exclusive_lock(lock, partial(_refused, place), hint, shared=shared):
            yield


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Nobody else writes into `folder` within the block. Nothing is left of that, nor of a folder that stays empty."""
    if os.path.lexists(folder) and not folder.is_dir():
        yield  # whoever is to write into it says so
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = folder / IN_FOLDER
    try:
        with claim(lock, str(folder)):
            try:
                yield
            finally:
                with suppress(OSError):
                    lock.unlink()
    finally:
        for path in made:
            with suppress(OSError):
                path.rmdir()


def _taken(place: str, owner: str) -> str:
    return f"{place}: process {owner or 'unknown'} is at work there"


def _refused(place: str, owner: str) -> CurateError:
    return UsageError(_taken(place, owner), "let it end, or end it; with --wait the same command begins after it")
