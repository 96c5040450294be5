"""Files that a command writes where a person says: every target is known first, and none of them is somebody else's.

A target is refused when it is an input of the command, under whatever name; when two targets are one file; and when a
file is there that no command wrote, or that was changed since. What was written is kept beside it, in a file RECORD of
the same folder: a line of JSON for each, with its name and the SHA-256 of its bytes. A line for each piece of work, the
files of one photo, say, tells that it is whole, so that the same command passes it over.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from curate.pipeline.core import scraps
from curate.pipeline.core.at_work import hold
from curate.pipeline.core.confined_path import is_file_name
from curate.pipeline.core.documents import from_json
from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.core.files import NOT_THERE, atomic_write, disk_error, is_folder, reading

RECORD = ".curate-outputs.jsonl"
_ELSEWHERE = "choose another --out"


class Record:
    """What commands wrote into one folder, by name."""

    def __init__(self, folder: Path) -> None:
        """A record that is missing or broken is that of a folder into which nothing was written.

        Raises CurateError for one that can't be read.
        """
        self.path = folder / RECORD
        self._digests: defaultdict[str, list[str]] = defaultdict(list)  # the newest last: a killed command leaves more
        self._pieces: dict[str, dict[str, Any]] = {}  # by what they are made of: their "files", and what is "told"
        try:
            with reading(self.path):
                lines = self.path.read_text("utf-8").splitlines()
        except (*NOT_THERE, ValueError):
            lines = []
        for line in lines:
            try:
                entry = from_json(line)
                if "made_of" in entry:
                    files = {str(name): str(digest) for name, digest in entry["files"].items()}
                    if all(map(is_file_name, files)):
                        self._pieces[str(entry["made_of"])] = {"files": files, "told": entry["told"]}
                elif is_file_name(name := str(entry["name"])):
                    self._digests[name].append(str(entry["sha256"]))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # torn, or not ours

    def holds(self, path: Path) -> bool:
        """Whether `path`, a file of the folder, is what a command wrote, byte for byte."""
        return self._is_there(path.name, self._digests.get(path.name, ()))

    def whole(self, made_of: str) -> Any:
        """What was told of the piece of work `made_of`; None unless all of its files are there, byte for byte."""
        if (piece := self._pieces.get(made_of)) is None:
            return None
        there = all(self._is_there(name, [digest]) for name, digest in piece["files"].items())
        return piece["told"] if there else None

    def add(self, name: str, digest: str) -> None:
        """Notes, on the disk, that the file `name` is about to have these bytes. Raises CurateError."""
        self._digests[name].append(digest)
        self._append(_line(name=name, sha256=digest))

    def add_piece(self, made_of: str, names: Iterable[str], told: Any) -> None:
        """Notes, on the disk, that a piece of work is whole, whose files are `names`. Raises CurateError."""
        piece = {"files": {name: self._digests[name][-1] for name in sorted(names)}, "told": told}
        self._pieces[made_of] = piece
        self._append(_line(made_of=made_of, **piece))

    def tidy(self) -> None:
        """One line for each file that is still there, by name, and for each piece of work that is whole: equal files
        have equal records. Raises CurateError.
        """
        there = {name: self._there(name) for name in sorted(self._digests) if (self.path.parent / name).exists()}
        lines = [_line(name=name, sha256=digest) for name, digest in there.items()]
        for made_of, piece in sorted(self._pieces.items()):
            if piece["files"].items() <= there.items():
                lines.append(_line(made_of=made_of, **piece))
        with atomic_write(self.path, durable=False) as temporary:
            temporary.write_text("".join(lines), "utf-8")

    def _is_there(self, name: str, digests: Sequence[str]) -> bool:
        path = self.path.parent / name
        try:
            return bool(digests) and path.is_file() and not path.is_symlink() and _digest(path) in digests
        except (*NOT_THERE, ValueError):
            return False

    def _append(self, line: str) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise disk_error(self.path, error) from error

    def _there(self, name: str) -> str:
        """Which of the digests that were noted is that of the file: what a disk refused did not take its place."""
        known = self._digests[name]
        if len(set(known)) > 1:
            with suppress(*NOT_THERE):
                if (found := _digest(self.path.parent / name)) in known:
                    return found
        return known[-1]


class OutputPlan:
    """The targets of one command, checked before the first is written; then the way to write them.

    A context, in which no other command writes into these folders: when it ends, however it ends, their records are
    tidied up. Entering raises UsageError while one does.
    """

    def __init__(self, targets: Iterable[Path], inputs: Iterable[Path] = (), *, force: bool = False) -> None:
        """`inputs` are the files that the targets are made from; `force` allows to write over strangers' files.

        Raises UsageError for a target that is an input, for two that are one file, for a file that is there and is not
        a command's, and for a place where no file can be.
        """
        self._inputs = {identity for path in inputs if (identity := _identity(path))}
        self._force = force
        self._records: dict[Path, Record] = {}
        self.written: list[Path] = []  # in order
        self._held = ExitStack()
        planned = list(targets)
        _refuse_doubles(planned)
        strangers = [path for path in planned if self._is_strangers(path)]
        if strangers:
            more = f", and {len(strangers) - 1} more are" if len(strangers) > 1 else ""
            raise UsageError(
                f"{strangers[0]}: is there already, and no file that curate wrote{more}",
                f"{_ELSEWHERE}, or write over it with --force",
            )
        for folder in {path.parent for path in planned}:
            _refuse_place(folder)
        self._planned = set(planned)

    def __enter__(self) -> Self:
        folders = {path.parent for path in self._planned}
        self._held.enter_context(hold(folders=folders))
        for folder in folders:
            scraps.sweep(folder)  # where nothing is left to be written, nothing else looks at it
        self._records.clear()  # another command may have ended since the targets were looked at
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._held:
            for folder in {path.parent for path in self.written}:
                try:
                    self._record(folder).tidy()
                except CurateError:
                    if error is None:  # else it has the same cause, or a better one to tell
                        raise

    @contextmanager
    def write(self, target: Path) -> Iterator[Path]:
        """A temporary path that becomes `target` when the block ends well, and is noted as ours.

        A target that could not be known when it was planned is checked now. Raises UsageError, and CurateError where
        the disk refuses.
        """
        if target not in self._planned and self._is_strangers(target):
            raise UsageError(
                f"{target}: is there already, and no file that curate wrote",
                f"{_ELSEWHERE}, or write over it with --force",
            )
        with atomic_write(target) as temporary:
            yield temporary
            self.written.append(target)
            self._record(target.parent).add(target.name, _digest(temporary))

    def whole(self, folder: Path, made_of: str) -> Any:
        """What `note_whole` was told of the piece of work `made_of` in `folder`; None where it is not whole."""
        return self._record(folder).whole(made_of)

    def note_whole(self, made_of: str, targets: Sequence[Path], told: Any) -> None:
        """Notes that all `targets`, which lie in one folder, are written, and `told`, plain values, beside that.

        `made_of` is a digest of all that they follow from. Raises CurateError.
        """
        self._record(targets[0].parent).add_piece(made_of, {path.name for path in targets}, told)

    def _is_strangers(self, path: Path) -> bool:
        """Whether a file is there that must not be written over. Raises UsageError for an input and for a folder."""
        if not os.path.lexists(path):
            return False
        if _identity(path) in self._inputs:
            raise UsageError(f"{path}: is one of the inputs, and is not written over", _ELSEWHERE)
        if is_folder(path):
            raise UsageError(f"{path}: is a folder, a file of that name was to be written", _ELSEWHERE)
        return not self._force and not self._record(path.parent).holds(path)

    def _record(self, folder: Path) -> Record:
        if folder not in self._records:
            self._records[folder] = Record(folder)
        return self._records[folder]


def name_key(path: Path) -> str:
    """`path` as file systems compare names that know no case and no composition: two of one key may be one file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def files_of(inputs: Iterable[Path]) -> list[Path]:
    """`inputs`, folders replaced by the files directly in them."""
    found: list[Path] = []
    for path in inputs:
        found += [file for file in path.iterdir() if file.is_file()] if is_folder(path) else [path]
    return found


def _refuse_doubles(targets: Iterable[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in targets:
        before = seen.setdefault(name_key(path.parent.resolve() / path.name), path)
        if before is not path:
            raise UsageError(f"{before} and {path}: two results of one name", "rename one of the inputs")


def _refuse_place(folder: Path) -> None:
    """Raises UsageError where no file can be written into `folder`, which may have to be made first."""
    there = next(part for part in (folder, *folder.absolute().parents) if os.path.lexists(part))
    if not is_folder(there):
        raise UsageError(f"{there}: is no folder, {folder} can't be one", _ELSEWHERE)
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{there}: no right to write here", f"{_ELSEWHERE}, or mend its rights")


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for every name of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _digest(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(**entry: Any) -> str:
    return json.dumps(entry) + "\n"
