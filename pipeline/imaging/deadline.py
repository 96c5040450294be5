"""What one picture may cost a process that reads strangers' bytes, and may die of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# 64 million px of AVIF, the slowest that is taken, ask for three. Of the processor, not of the clock: what becomes of a
# picture must not hang on what else the machine does.
CPU_SECONDS = 20.0


@contextmanager
def deadline(seconds: float = CPU_SECONDS) -> Iterator[None]:
    """The process is ended, by SIGPROF, if the block takes more than `seconds` of the processor, in whatever code.

    In the process's main thread.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
