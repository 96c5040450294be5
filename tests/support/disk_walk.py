"""A walk over the calls of a command that change the disk, or read it: each is refused, then the command runs again."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from curate.pipeline.tables import decisions, placements
from tests.support.failing_disk import EVERYTHING, KINDS, READ, Asked, Call, Done, FailingDisk, Fault

LIKE = 4  # calls of one sort, beyond which they are taken for like ones

# What, then what to do; on a terminal a person's Enter ends the line of a question.
_LINE = re.compile(r"^(?:go on\? \[y/N\] )?curate: \S.*: .+\n  \S.+$", re.MULTILINE)
# What a run keeps for itself: added to while it goes on, and no result.
_OWN = re.compile(r"/(\.[^/]+|parts|tensorboard|journal\.jsonl|scalars\.(jsonl|tsv)|scores\.tsv)(/|$)")
_TIMED = {f"/{decisions.FILE}", f"/{placements.FILE}"}  # what holds by them is compared instead: see _holding
_SCRAP = re.compile(r"\.tmp$|/\.tmp/")
# What may have gone without a picture that could not be read; the next run makes it anew.
_OF_PICTURES = re.compile(r"/(compare.html$|(raw/images|processed/(crops|pairs|report|views))/.+\.(png|jpg|tar|html)$)")


@dataclass
class Walk:
    """One command in one world; `world` is copied for each try, and never written to."""

    disk: FailingDisk
    asked: Asked
    world: Path
    folder: Path  # where the tries take place
    once: bool = False  # after it has ended well, the same command is another deed
    reads: bool = False  # calls that read are counted, too; then a command may end well with other rows
    calm: Done = field(init=False)
    volatile: frozenset[str] = field(init=False)  # files that differ between two undisturbed runs
    counted: int = field(init=False)  # the kinds of calls
    placed: frozenset[str] = field(init=False)  # files that are written anew, not added to
    rewritten: frozenset[str] = field(init=False)  # that have more than one content in the course of a run, or go again

    def __post_init__(self) -> None:
        """Two undisturbed runs, which say what is to come out."""
        self.before = _tree(self.world)
        self.counted = EVERYTHING | (READ if self.reads else 0)
        self.calm = self.disk.run(self.asked, self._fresh(), counted=self.counted)
        self.after = _tree(self._root)
        self.disk.run(self.asked, self._fresh())
        again = _tree(self._root)
        placed = Counter(call.path for call in self.calm.calls if call.kind == "rename")
        self.placed = frozenset(placed)
        there = self.before.keys() | self.after.keys()
        self.rewritten = frozenset(name for name, times in placed.items() if times > 1 or name not in there)
        names = self.after.keys() | again.keys()
        self.volatile = frozenset(name for name in names if self.after.get(name) != again.get(name)) | _TIMED
        self._ends: dict[bytes, list[str]] = {}  # what was wrong with going on, by what there was to go on from
        assert "bug of ours" not in self.calm.said and "Traceback" not in self.calm.said, self.calm.said

    def selection(self, kinds: Container[str] = KINDS, *, last_alone: bool = False) -> list[Call]:
        """The calls to try, of `kinds`: all of each sort, but of more than LIKE the first two, the middle and the last.

        A sort is a kind, and the folder and the sort of file that it is about. `last_alone` takes no other one of it.
        """
        sorts: dict[tuple[str, ...], list[Call]] = defaultdict(list)
        for call in self.calm.calls:
            if call.kind in kinds:
                sorts[_sort(call)].append(call)
        chosen: list[Call] = []
        for like in sorts.values():
            if last_alone:
                chosen.append(like[-1])
            elif len(like) <= LIKE:
                chosen += like
            else:
                chosen += [*like[:2], like[len(like) // 2], like[-1]]
        return sorted(chosen, key=lambda call: call.number)

    def attempt(self, call: Call, fault: Fault) -> tuple[int, list[str]]:
        """The exit code of the command that meets `fault` at `call`, and what is wrong with that and with going on."""
        done = self.disk.run(self.asked, self._fresh(), fault, call.number, counted=self.counted)
        left = _tree(self._root)
        ended_well = done.code == self.calm.code
        spared = {name for name in left.keys() | self.after.keys() if self._may_differ(name, left)}
        spared = spared if self.reads and ended_well else set()
        wrong = [
            *self._wrongly_said(done, fault),
            *(f"lost or torn: {name}" for name in self._torn(left) if name not in spared),
        ]
        if ended_well:
            wrong += [f"ended well: differs: {name}" for name in self._differing(left) if name not in spared]
            if self.once:
                return done.code, wrong
        state = _digest(self._root, left)
        if state not in self._ends:  # a disk's other faults at this call leave mostly the same
            self._ends[state] = list(self._wrong_again())
        return done.code, wrong + self._ends[state]

    def _wrong_again(self) -> Iterator[str]:
        again = self.disk.run(self.asked, self._root)
        if again.code != self.calm.code:
            yield f"again: exit {again.code}: {again.said[-500:]}"
        found = _tree(self._root)
        packed = self.reads and any(name.endswith(".tar") for name in self.after)  # in the order in which crops come
        for name in self._differing(found):
            if not (packed and self._may_differ(name, found)):
                yield f"again: differs: {name}"
        yield from (f"again: a scrap: {name}" for name in found if _SCRAP.search(name))

    def _differing(self, found: dict[str, bytes]) -> Iterator[str]:
        for name in sorted((found.keys() | self.after.keys()) - self.volatile):
            if found.get(name) != self.after.get(name) and not _OWN.search(name) and not _SCRAP.search(name):
                yield name

    def _may_differ(self, name: str, now: dict[str, bytes]) -> bool:
        """Whether a command that could not read a picture may leave this file so: a table keeps a row for it."""
        if name.endswith(".parquet") and name in self.after and name in now:
            return _rows(now[name]) == _rows(self.after[name])
        return _OF_PICTURES.match(name) is not None and not (name.startswith("/raw/") and name in self.before)

    def _wrongly_said(self, done: Done, fault: Fault) -> Iterator[str]:
        if done.code not in {0, 2, self.calm.code}:
            yield f"exit {done.code}: {done.said[-1500:]}"
        elif "bug of ours" in done.said or "Traceback" in done.said:
            yield done.said[-1500:]
        elif done.code == 2 and not (_LINE.search(done.said) and fault.said in done.said):
            yield f"not the line: {done.said[-500:]}"

    def _torn(self, now: dict[str, bytes]) -> Iterator[str]:
        for name in sorted(now.keys() | self.before.keys()):
            if name in self.volatile and name.endswith(".jsonl") and name not in self.placed:  # a log only grows
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


def _rows(table: bytes) -> int:
    return int(pq.read_metadata(io.BytesIO(table)).num_rows)


def _sort(call: Call) -> tuple[str, ...]:
    """Locks in one folder are of one sort, and so are folders in it; each table is of its own."""
    *folder, name = call.path.split("/")
    suffix = Path(name).suffix
    place = folder if suffix == ".lock" or call.kind == "mkdir" else [*folder, name]
    return (call.kind, *place[:3], suffix)


def _tree(root: Path) -> dict[str, bytes]:
    """The bytes of all files below `root`, by their path with a slash before it."""
    found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
    files = {f"/{path.relative_to(root)}": path.read_bytes() for path in found if path.is_file()}
    return files | {f"/{name}: what holds": text.encode() for name, text in _holding(root).items() if text}


def _holding(root: Path) -> dict[str, str]:
    """What persons decided and placed, without the times, so that it can be compared; by file."""
    stands: dict[str, Mapping[str, Sequence[Struct]]] = {
        decisions.FILE: decisions.read(root)._by_person,
        placements.FILE: placements.read(root),
    }
    timeless = {
        file: [[replace(one, when="") for one in stack] for stack in by.values()] for file, by in stands.items()
    }
    return {file: str(stacks or "") for file, stacks in timeless.items()}


def _digest(root: Path, files: dict[str, bytes]) -> bytes:
    """Of all that lies below `root`, whose `files` these are: their bytes, and the folders."""
    digest = hashlib.sha256()
    for folder in sorted(folder for folder, _, _ in os.walk(root)):
        digest.update(f"{folder}\n".encode())
    for name, data in sorted(files.items()):
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.digest()
