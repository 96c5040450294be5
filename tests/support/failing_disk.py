"""A disk that refuses one chosen call of a command, or that call and all like it from then on; see failing_disk.c."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.support import ROOT

SOURCE = Path(__file__).with_suffix(".c")
ORDERS = struct.Struct("7i2Q1024s1024s")

KINDS = {name: 1 << n for n, name in enumerate("create open write truncate sync rename mkdir link remove meta".split())}
READ = 1 << len(KINDS)  # a file is opened, or a folder listed, to be read
READING = ("read", "open")  # the kinds that read; some open for both
TAKING_SPACE = KINDS["create"] | KINDS["write"] | KINDS["mkdir"] | KINDS["link"]
EVERYTHING = sum(KINDS.values())


@dataclass(frozen=True)
class Fault:
    """How a disk fails: the word for it, the kinds of calls that are refused from then on, and those that never are.

    In a walk over reads those of the same file are refused from then on. A `late` one lets a file be opened, and then
    nothing of it be read.
    """

    name: str
    lasting: int
    spared: tuple[str, ...] = ()
    late: bool = False

    @property
    def error(self) -> int:
        return int(getattr(errno, self.name))

    @property
    def said(self) -> str:
        return os.strerror(self.error)


FULL = Fault("ENOSPC", TAKING_SPACE, ("remove", "meta"))
QUOTA = Fault("EDQUOT", TAKING_SPACE, ("remove", "meta"))
READ_ONLY = Fault("EROFS", EVERYTHING)
BROKEN = Fault("EIO", 0)  # one bad block
DENIED = Fault("EACCES", READ | KINDS["open"])  # a file that another user wrote
UNREADABLE = Fault("EIO", 0, late=True)  # a file on a bad block
SPACE = (FULL, QUOTA)  # in the kernel and in curate one way: a call meets one of them


@dataclass(frozen=True)
class Asked:
    """What is done: `curate ARGV`; what a person types then; who visits the page, a function of page_visits.py."""

    argv: tuple[str, ...]
    typed: str = ""
    visit: str = ""


@dataclass(frozen=True)
class Call:
    """One call that changes or reads the disk: its place in the command's run, its kind, the path below the root."""

    number: int
    kind: str
    path: str

    def faults(self, *, reads: bool = False, costly: bool = False) -> tuple[Fault, ...]:
        """Those that it is to meet, where it changes or where it `reads`; one in turn where a try is `costly`."""
        all_faults = (DENIED, UNREADABLE) if reads else (SPACE[self.number % 2], READ_ONLY, BROKEN)
        found = tuple(one for one in all_faults if self.kind not in one.spared)
        turn = (self.number + self.number // 3) % len(found)  # not the same one for the like call of each file
        return found[turn : turn + 1] if costly else found


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, negative for a signal; what it said; its calls; how many were refused."""

    code: int
    said: str
    calls: tuple[Call, ...]
    refused: int


class FailingDisk:
    """Runs commands, each in a process of its own, on a disk that does what it is told."""

    def __init__(self, folder: Path, server: subprocess.Popen[str]) -> None:
        self._folder = folder
        self._server = server

    def run(
        self, asked: Asked, root: Path, fault: Fault | None = None, at: int = 0, *, counted: int = EVERYTHING
    ) -> Done:
        """What is asked, in `root`; its call number `at`, from 1, of the kinds that are `counted`, is refused."""
        log, said, imported = (self._folder / name for name in ("log", "said", "imported"))
        log.unlink(missing_ok=True)
        error, lasting, late = (fault.error, fault.lasting, fault.late) if fault else (0, 0, False)
        orders = (at, error, lasting, counted, late, 0, 0, 0, 0, bytes(root), bytes(log))
        with (self._folder / "orders").open("r+b") as file:  # never shorter: the server has it mapped
            file.write(ORDERS.pack(*orders))
        assert self._server.stdin is not None and self._server.stdout is not None
        order = asdict(asked) | {"folder": str(root), "said": str(said), "imported": str(imported)}
        print(json.dumps(order), file=self._server.stdin, flush=True)
        code = int(self._server.stdout.readline())
        refused = ORDERS.unpack((self._folder / "orders").read_bytes())[6]
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        calls = (line.split("\t", 2) for line in lines)
        made = tuple(sorted((Call(int(n), kind, path) for n, kind, path in calls), key=lambda call: call.number))
        return Done(code, said.read_text("utf-8", "replace"), made, refused)


@contextlib.contextmanager
def failing_disk(folder: Path) -> Iterator[FailingDisk]:
    """A disk that fails for as long as the context lasts.

    The test is skipped where nothing can be put before the C library's calls.
    """
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("no C compiler, or no Linux, to make a disk that fails: apt-get install gcc")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "failing_disk.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
    (folder / "orders").write_bytes(ORDERS.pack(*[0] * 9, b"", b""))
    environment = os.environ | {"LD_PRELOAD": str(library), "FAILING_DISK": str(folder / "orders")}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.command_server"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield FailingDisk(folder, server)
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(30)
