"""Ctrl-C during a run: the step that is under way is finished and saved; a second Ctrl-C doesn't wait for that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from curate.pipeline.core.progress import Progress


@contextmanager
def interruptible(progress: Progress) -> Iterator[Callable[[], bool]]:
    """Within the block SIGINT and SIGTERM only make the yielded function say True; the second one interrupts at once.

    In a thread other than the main one, where signals can't be caught, it always says False.
    """
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if requested.is_set():
            raise KeyboardInterrupt
        requested.set()
        progress.note("stopping after this step; once more to stop at once, back at the last checkpoint")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
