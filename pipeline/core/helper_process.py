"""A process of its own that answers messages, one at a time, and may die or hang of one without harm to who asks.

For code that strangers' bytes can break: decoders, other people's native libraries. The other side is a module of ours
that is run by `python -m` and calls `serve`. It ends with its stdin, so when the one that asks dies, however it does.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from curate.pipeline.core import interrupt

LOOKS = 20  # in which the time is spent that an answer has
WATCH = 0.5  # s between two looks at whether the process that asks is there
_HOME = str(Path(__file__).parents[3])  # where the package `curate` stands


class HelperLostError(Exception):
    """The process died of a message, or took too long and was ended."""


class HelperLateError(HelperLostError):
    """It took too long: of the clock, or of what it allows itself of the processor."""


class HelperProcess:
    """Asks the process of `module`, which is started when it is first needed, and again after it was lost."""

    def __init__(self, module: str, greeting: bytes = b"") -> None:
        """`greeting` is the first message that each process gets; it answers none."""
        self._module, self._greeting = module, greeting
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, message: bytes, seconds: float) -> bytes:
        """The answer to `message`. Raises HelperLostError where none comes within `seconds`, start included."""
        process = self.process or self._start()
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            _write(process.stdin, message)  # all of it is read before any work begins
            # One look is all that is lost while this process was stopped, by Ctrl-Z, say.
            if not any(select.select([process.stdout], [], [], seconds / LOOKS)[0] for _ in range(LOOKS)):
                raise HelperLateError(f"no answer within {seconds:g} s")
            return _read(process.stdout)
        except (OSError, EOFError) as error:
            if self._own_end(process) == -signal.SIGPROF:
                raise HelperLateError("it took more than its share of the processor") from error
            raise HelperLostError("it died") from error
        except HelperLostError:
            self.end()
            raise

    def _own_end(self, process: subprocess.Popen[bytes]) -> int:
        """How the process ended, once it has closed its answers, as Popen.returncode."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        self.end()
        return process.returncode

    def end(self) -> None:
        """Ends the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))
        with interrupt.shielded():
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
            )
        assert self.process.stdin is not None, "it is a pipe"
        _write(self.process.stdin, self._greeting)
        return self.process


def serve(begin: Callable[[bytes], Callable[[bytes], bytes]]) -> None:
    """The other side: `begin` makes of the greeting what answers messages, until stdin ends."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between two answers
    try:
        answer = begin(_read(sys.stdin.buffer))
        while True:
            _write(answers, answer(_read(sys.stdin.buffer)))
    except (EOFError, BrokenPipeError):
        return


def _leave_with(parent: int) -> None:
    """Ends the process when `parent` is gone: an answer that takes long has nobody any more who waits for it."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _write(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes:
    """One message. Raises EOFError when the other side is gone."""
    length = stream.read(8)
    data = stream.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
    if len(length) < 8 or len(data) < int.from_bytes(length, "big"):
        raise EOFError
    return data
