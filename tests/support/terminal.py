"""A command on a terminal of its own, as a person has it: Ctrl-C goes to every process that it began."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

CTRL_C = b"\x03"


class Terminal:
    """`words`, which begin with a command, run in `cwd`; ends with all that it began when the block ends."""

    def __init__(self, words: Sequence[str | Path], cwd: Path, **environment: str) -> None:
        self._screen, theirs = pty.openpty()
        self.shown = ""
        self._silent: int | None = None
        self.process = subprocess.Popen(
            list(map(str, words)),
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call, which takes no lock
        )
        os.close(theirs)

    @classmethod
    def curate(cls, *words: str | Path, cwd: Path, **environment: str) -> Self:
        """`curate WORDS`."""
        return cls([sys.executable, "-m", "curate", *words], cwd, **environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()
        os.close(self._screen)
        if self._silent is not None:
            os.close(self._silent)

    def read(self, seconds: float = 0.0) -> str:
        """What was shown since the last time, within `seconds` from now at most."""
        if not select.select([self._screen], [], [], seconds)[0]:
            return ""
        try:
            new = os.read(self._screen, 1 << 16).decode("utf-8", "replace")
        except OSError:  # every process has closed it
            time.sleep(0.01)
            return ""
        self.shown += new
        return new

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Reads until `text` was shown. Raises AssertionError where it ends, or time does, before."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end and (self.process.poll() is None or self.read()), self.shown
            self.read(0.05)

    def press_ctrl_c(self) -> None:
        """As the key does: the terminal sends SIGINT to its foreground processes, all of them."""
        os.write(self._screen, CTRL_C)

    def hang_up(self) -> None:
        """As a window does that is closed: what is said afterwards is not read."""
        silence, self._silent = os.pipe()
        os.dup2(silence, self._screen)
        os.close(silence)

    def ended(self, seconds: float = 60.0) -> int:
        """The exit code. Raises AssertionError where it does not end within `seconds`."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end\n{self.shown}"
            self.read(0.02)
        while self.read():
            pass
        return self.process.wait()

    def left(self, seconds: float = 0.0) -> list[int]:
        """The processes of this terminal that are still there, after `seconds` at most."""
        end = time.monotonic() + seconds
        while (there := list(_session(self.process.pid))) and time.monotonic() < end:
            self.read(0.02)
        return there


def _session(leader: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(path.parent.name))
    return found
