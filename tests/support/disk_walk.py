"""A walk over the calls of a command that change the disk: each is refused once, and then the command runs again."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.failing_disk import KINDS, Call, Done, FailingDisk, Fault

_LINE = re.compile(r"^curate: \S.*: .+\n  \S.+$", re.MULTILINE)  # what, then what to do
# What a run keeps for itself: added to while it goes on, and no result.
_OWN = re.compile(r"/(\.[^/]+|parts|tensorboard|journal\.jsonl|scalars\.(jsonl|tsv)|scores\.tsv)(/|$)")


@dataclass
class Walk:
    """One command in one world; `world` is copied for each try, and never written to."""

    disk: FailingDisk
    argv: Sequence[str]
    world: Path
    folder: Path  # where the tries take place
    once: bool = False  # after it has ended well, the same command is another deed
    calm: Done = field(init=False)
    volatile: frozenset[str] = field(init=False)  # files that differ between two undisturbed runs
    rewritten: frozenset[str] = field(init=False)  # files that have more than one content in the course of a run

    def __post_init__(self) -> None:
        """Two undisturbed runs, which say what is to come out."""
        self.before = _tree(self.world)
        self.calm = self.disk.run(self.argv, self._fresh())
        self.after = _tree(self._root)
        self.disk.run(self.argv, self._fresh())
        again = _tree(self._root)
        placed = Counter(call.path for call in self.calm.calls if call.kind == "rename")
        self.rewritten = frozenset(name for name, times in placed.items() if times > 1)
        names = self.after.keys() | again.keys()
        self.volatile = frozenset(name for name in names if self.after.get(name) != again.get(name))
        assert "bug of ours" not in self.calm.said and "Traceback" not in self.calm.said, self.calm.said

    def selection(self, kinds: Container[str] = KINDS) -> list[Call]:
        """The last call of each sort, of `kinds`: its kind, the folder and the sort of file that it is about."""
        sorts = {_sort(call): call for call in self.calm.calls if call.kind in kinds}
        return list(sorts.values())

    def attempt(self, call: Call, fault: Fault) -> tuple[int, list[str]]:
        """The exit code of the command that meets `fault` at `call`, and what is wrong with that and with going on."""
        root = self._fresh()
        done = self.disk.run(self.argv, root, fault, call.number)
        wrong = [*self._wrongly_said(done, fault), *(f"lost or torn: {name}" for name in self._torn(_tree(root)))]
        again = done if self.once and done.code == self.calm.code else self.disk.run(self.argv, root)
        if again.code != self.calm.code:
            wrong.append(f"again: exit {again.code}: {again.said[-500:]}")
        found = _tree(root)
        differing = {name for name in found.keys() | self.after.keys() if found.get(name) != self.after.get(name)}
        wrong += [f"again: differs: {name}" for name in sorted(differing - self.volatile) if not _OWN.search(name)]
        wrong += [f"again: a scrap: {name}" for name in found if re.search(r"\.tmp$|/\.tmp/", name)]
        return done.code, wrong

    def _wrongly_said(self, done: Done, fault: Fault) -> Iterator[str]:
        if done.code not in {0, 2, self.calm.code}:
            yield f"exit {done.code}: {done.said[-1500:]}"
        elif "bug of ours" in done.said or "Traceback" in done.said:
            yield done.said[-1500:]
        elif done.code == 2 and not (_LINE.search(done.said) and fault.said in done.said):
            yield f"not the line: {done.said[-500:]}"

    def _torn(self, now: dict[str, bytes]) -> Iterator[str]:
        for name in sorted(now.keys() | self.before.keys()):
            if name in self.volatile and name.endswith(".jsonl") and name not in self.rewritten:  # a log only grows
                if not now.get(name, b"").startswith(self.before.get(name, b"")):
                    yield name
                continue
            whole = {self.before.get(name), self.after.get(name)}
            if name not in self.volatile | self.rewritten and now.get(name) not in whole and not _OWN.search(name):
                yield name

    @property
    def _root(self) -> Path:
        return self.folder / "root"

    def _fresh(self) -> Path:
        shutil.rmtree(self._root, ignore_errors=True)
        shutil.copytree(self.world, self._root, symlinks=True)
        return self._root


def _sort(call: Call) -> tuple[str, ...]:
    """Locks in one folder are of one sort, and so are folders in it; each table is of its own."""
    *folder, name = call.path.split("/")
    suffix = Path(name).suffix
    place = folder if suffix == ".lock" or call.kind == "mkdir" else [*folder, name]
    return (call.kind, *place[:3], suffix)


def _tree(root: Path) -> dict[str, bytes]:
    """The bytes of all files below `root`, by their path with a slash before it."""
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    return {f"/{path.relative_to(root)}": path.read_bytes() for path in found if path.is_file()}
