"""Files as a stranger may hand them over, and what a command may do about it.

Whatever a file holds, a command ends well or says one clear line and what to do. It touches nothing outside of its
root, steers no terminal, writes no cell that a spreadsheet would run, and is never a bug of ours.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.command import run

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]")
_LINE = re.compile(r"^curate: \S.*\n(?:    \S.*\n)*  \S.+$", re.MULTILINE)  # what, perhaps a list, then what to do
_BUG = re.compile(r"bug of ours|Traceback|Warning: ")
_LONGEST = 1200  # characters of a line: a message may hold two paths and a list

TEXTS: Sequence[Any] = (
    *("../outside/secret.png", "{outside}/secret.png", "params.yaml", "manifests/images.parquet"),
    *("raw/images/journal.jsonl", "a\0b", "x" * 4000, "\x1b]0;pwned\x07\x1b[31m\x9b1m", "a\u202eb", "a\u200bb"),
    *("=cmd()", "+1\n=2", "", " ", "長い", b"\xff\xfe", "{{1}}", '"a","b"', "7"),
)
"""Texts of attack; `{outside}` stands for the folder that nobody may touch."""

Damage = Callable[[Path, Path], object]
"""Writes to the file at the first path what a stranger may; the second is the folder that nobody may touch."""


class Handed(NamedTuple):
    """A file of a stranger's: which it is, what it may hold, and the commands that read it."""

    file: str  # below the root, the first that fits
    damages: Callable[[Path], Iterator[tuple[str, Damage]]]  # of the file as it is, with their names
    commands: Sequence[str]

    def path(self, root: Path) -> Path:
        """Where it lies below `root`."""
        return min(root.glob(self.file))

    def tries(self, world: Path, commands: Sequence[str]) -> list[tuple[str, Damage, str]]:
        """Each damage before each of `commands`."""
        return [(name, damage, one) for name, damage in self.damages(self.path(world)) for one in commands]


class Ground:
    """Where tries take place: a fresh copy of `world` for each, beside a folder that nobody may touch."""

    def __init__(self, world: Path, folder: Path) -> None:
        self.world, self.root, self.outside = world, folder / "root", folder / "outside"
        self.outside.mkdir(parents=True)
        (self.outside / "secret.png").write_bytes(next((world / "raw/images").rglob("*.png")).read_bytes())
        shutil.copytree(world, self.root)
        self._there = _stamps(self.root)
        self._before = _tree(folder, self.root)
        self._folder = folder
        self._opened: list[str] = []
        sys.addaudithook(self._hear)
        self._heard = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._heard and event in {"open", "os.remove", "os.rename", "os.link", "os.mkdir", "os.listdir", "os.chmod"}:
            self._opened += [str(one) for one in arguments if str(one).startswith(str(self.outside))]

    def fresh(self) -> Path:
        """The root, as the world is; what the last command left as it was is not copied again."""
        now = _stamps(self.root)
        for place in sorted(now.keys() - self._there.keys(), reverse=True):  # what is in a folder before the folder
            path = self.root / place
            _remove(path)
        for place in sorted(self._there.keys()):
            source, path = self.world / place, self.root / place
            if source.is_dir():
                path.mkdir(exist_ok=True)
            elif now.get(place) != self._there[place]:
                if place in now:
                    _remove(path)  # a link would be written through
                shutil.copy2(source, path)
        self._there = _stamps(self.root)
        return self.root

    def wrong(self, command: str, words: Mapping[str, str], codes: frozenset[int] = frozenset({0, 2})) -> list[str]:
        """What is wrong with how `command` ends in the root as it stands."""
        argv = [word.format(root=self.root, **words) for word in command.split()]
        argv += [] if argv[0] == "weights" else ["--root", str(self.root)]
        before = _stamps(self.root)
        self._opened, self._heard = [], True
        try:
            done = run(*argv, folder=self.root)
        finally:
            self._heard = False
        found = list(_wrongly_said(done.returncode, done.stdout + done.stderr, done.stderr, codes))
        found += [f"touched: {path}" for path in self._opened]
        now = _tree(self._folder, self.root)
        found += [
            f"changed: {name}" for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name)
        ]
        after = _stamps(self.root)
        found += _cells_that_run([self.root / name for name in after if after[name] != before.get(name)])
        return found


def _wrongly_said(code: int, said: str, errors: str, codes: frozenset[int]) -> Iterator[str]:
    if code not in codes:
        yield f"exit {code}: {said[-700:]}"
    if _BUG.search(said):
        yield said[-700:]
    if code == 2 and errors and not _LINE.search(errors):  # doctor tells of all tables instead
        yield f"not the line: {errors[-500:]}"
    if steers := STEERING.search(said):
        yield f"steers: {said[max(steers.start() - 80, 0) : steers.start() + 20]!r}"
    if longest := next((line for line in errors.splitlines() if len(line) > _LONGEST), ""):
        yield f"a line of {len(longest)} characters: {longest[:200]}"


def _cells_that_run(files: Sequence[Path]) -> Iterator[str]:
    for path in (one for one in files if one.suffix in {".csv", ".tsv"}):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
        texts = [cell for row in rows for cell in row if cell and not re.fullmatch(r"-?([\d.]+(e[-+]?\d+)?|inf)", cell)]
        if runs := [cell for cell in texts if unicodedata.normalize("NFKC", cell.lstrip())[:1] in {*"=+-@"}]:
            yield f"{path.name}: runs: {runs[0]!r}"


def _stamps(root: Path) -> dict[str, tuple[int, ...]]:
    """All that lies below `root`: for files what changes with each write, for folders nothing."""
    found: dict[str, tuple[int, ...]] = {}
    for place, folders, names in os.walk(root):
        below = os.path.relpath(place, root)
        found |= {os.path.join(below, name): () for name in folders}  # noqa: PTH118  (a thousand times a second)
        for name in names:
            stat = os.lstat(os.path.join(place, name))  # noqa: PTH118
            found[os.path.join(below, name)] = stat.st_ino, stat.st_mtime_ns, stat.st_size  # noqa: PTH118
    return found


def _remove(path: Path) -> None:
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _tree(folder: Path, spared: Path) -> dict[str, tuple[int, bytes]]:
    """The files below `folder` and not below `spared`: when they changed, and what they hold."""
    found = {}
    for place, folders, names in os.walk(folder):
        if Path(place) == spared.parent:
            folders[:] = [name for name in folders if name != spared.name]
        for name in names:
            path = Path(place, name)
            found[str(path)] = path.stat().st_mtime_ns, path.read_bytes()
    return found
