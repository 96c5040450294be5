"""Decisions on single items, by a person or by a command: manifests/review.jsonl, read and written here alone.

One JSON object per line, in the order in which they were made, so that git can diff and merge them:

    {"item": "4be1...", "decision": "reject", "reason": "mirrored", "by": "person", "when": "2026-01-02T03:04:05Z"}

`item` is a crop_id, a pair_id or an image_id; what is said of an image holds for every crop and pair made of it. A crop
that is moved trains in the `domain` that its line names. Of several decisions on one item the last line wins, but a
person's outranks a command's, whichever came first. The decision "undo" takes back the newest one that the same person
made on the item and did not take back yet, so that what was said before it holds again. Lines that are no decisions are
reported and left where they are; they decide nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from curate.pipeline.core.errors import CurateError
from curate.pipeline.core.files import atomic_write, disk_error
from curate.pipeline.core.locks import has_no_locks, waiting_lock

FILE = "manifests/review.jsonl"
SELECT = "select"
SUSPECTS = "suspects"  # writes down what a person has said at a sheet: no command's own decision
UNDO: Final = "undo"
COMMANDS = frozenset({SELECT})  # whoever else has decided is a person

_Word = Annotated[str, Meta(min_length=1)]


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided on one item."""

    item: _Word  # crop_id, pair_id or image_id
    decision: Literal["keep", "reject", "move", "undo"]
    domain: str = ""  # that a moved crop belongs to
    reason: str = ""
    by: _Word  # "select", or who it was
    when: str = ""  # UTC, ISO 8601

    def __post_init__(self) -> None:
        if (self.decision == "move") != bool(self.domain):
            raise ValueError("`domain` says where to move it, and stands in no other decision")

    @property
    def by_person(self) -> bool:
        """Whether a person made it."""
        return self.by not in COMMANDS


class Decisions:
    """The decisions that hold."""

    def __init__(self, made: Iterable[Decision]) -> None:
        """`made` in the order of the file."""
        self._by_person: dict[str, list[Decision]] = {}  # those that stand on an item, the one that holds last
        self._by_command: dict[str, list[Decision]] = {}
        self.add(made)

    def __bool__(self) -> bool:
        return bool(self._by_person or self._by_command)

    def add(self, made: Iterable[Decision]) -> None:
        """Counts `made`, which came after all others."""
        for one in made:
            known = self._by_person if one.by_person else self._by_command
            if one.decision != UNDO:
                known.setdefault(one.item, []).append(one)
            elif (stack := known.get(one.item)) and (own := [at for at, old in enumerate(stack) if old.by == one.by]):
                del stack[own[-1]]
                if not stack:
                    del known[one.item]

    def by_persons(self) -> Decisions:
        """Those of persons alone."""
        return Decisions(chain.from_iterable(self._by_person.values()))

    def by_command(self, name: str) -> Mapping[str, Decision]:
        """Those of the command `name`, by item."""
        return {item: stack[-1] for item, stack in self._by_command.items() if stack[-1].by == name}

    def decision(self, item: str | None, *images: str | None) -> Decision | None:
        """What holds for `item`, which is made of `images`; None when nothing was decided.

        A person's word goes before a command's; of the same rank, that on the item before those on its images, and of
        these a rejection before a keep.
        """
        for known in (self._by_person, self._by_command):
            if item in known:
                return known[item][-1]
            found = [known[image][-1] for image in images if image in known]
            if found:
                return next((one for one in found if one.decision == "reject"), found[0])
        return None

    def refusal(self, item: str | None, *images: str | None) -> str | None:
        """The reason that a table gives for a rejected item: "review" for a person's, "select" for a command's."""
        found = self.decision(item, *images)
        if found is None or found.decision != "reject":
            return None
        return "review" if found.by_person else "select"

    def domain(self, own: str, item: str | None, *images: str | None) -> str:
        """The domain of `item`: `own`, unless a decision moves it."""
        found = self.decision(item, *images)
        return found.domain if found and found.decision == "move" else own

    def kept_by_person(self, item: str | None, *images: str | None) -> bool:
        """Whether a person said to keep it."""
        found = self.decision(item, *images)
        return found is not None and found.decision == "keep" and found.by_person


def read(root: Path, report: Callable[[str], object] | None = None) -> Decisions:
    """The decisions below `root`; none without a file.

    `report` is called with a sentence about each line that is none, with its number. Raises CurateError for a file
    that can't be read.
    """
    good: list[Decision] = []
    for number, _, found in _lines(root):
        if isinstance(found, Decision):
            good.append(found)
        elif found and report:
            report(f"{root / FILE}:{number}: decides nothing: {found}: mend the line or delete it")
    return Decisions(good)


def now() -> str:
    """The time as decisions have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def append(root: Path, made: Iterable[Decision]) -> None:
    """Adds `made` at the end of the file, all or none; makes the file. Raises CurateError for a disk that refuses."""
    text = b"".join(msgspec.json.encode(one) + b"\n" for one in made)
    with _locked(root) as stream:
        size = os.fstat(stream).st_size
        if size and os.pread(stream, 1, size - 1) != b"\n":  # an editor, or a writer that was killed, left it open
            text = b"\n" + text
        try:
            written = 0
            while written < len(text):
                written += os.write(stream, text[written:])
            os.fsync(stream)
        except OSError:
            os.ftruncate(stream, size)
            raise


def replace(root: Path, by: str, made: Mapping[str, Decision]) -> None:
    """Makes `made` (by item) the only decisions of the command `by`; those that stay the same keep their lines.

    Nothing is written when nothing changes, so equal decisions leave an equal file.
    """
    stays: set[str] = set()

    def keep(one: Decision) -> bool:
        new = made.get(one.item)
        same = new is not None and (new.decision, new.reason) == (one.decision, one.reason)
        if one.by == by and same and one.item not in stays:
            stays.add(one.item)
            return True
        return one.by != by

    _rewrite(root, keep, lambda: [one for item, one in made.items() if item not in stays])


def remove(root: Path, by: str) -> int:
    """Takes back every decision of the command or person `by`; returns how many. All other lines stay as they are."""
    removed = 0

    def keep(one: Decision) -> bool:
        nonlocal removed
        removed += one.by == by
        return one.by != by

    if (root / FILE).exists():
        _rewrite(root, keep, list)
    return removed


def _rewrite(root: Path, keep: Callable[[Decision], bool], new: Callable[[], list[Decision]]) -> None:
    """Leaves out the decisions that `keep` does not want and adds what `new` says then."""
    with _locked(root):
        lines = list(_lines(root))
        left = [text for _, text, found in lines if not isinstance(found, Decision) or keep(found)]
        left += [msgspec.json.encode(one) for one in new()]
        if left != [text for _, text, _ in lines]:
            with atomic_write(root / FILE) as temporary:
                temporary.write_bytes(b"".join(text + b"\n" for text in left))


def _lines(root: Path) -> Iterator[tuple[int, bytes, Decision | str]]:
    """The lines of the file, as `parse` gives them; none without a file."""
    try:
        data = (root / FILE).read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise CurateError(f"{root / FILE}: cannot read: {error.strerror}", "mend the file or its rights") from None
    yield from parse(data)


def parse(data: bytes) -> Iterator[tuple[int, bytes, Decision | str]]:
    """The lines of `data`, numbered from 1; instead of a decision, what is wrong with the line: "" for a blank."""
    for number, text in enumerate(data.splitlines(), 1):
        found: Decision | str = ""
        if text.strip():
            try:
                found = _DECODER.decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                found = str(error)
        yield number, text, found


_DECODER = msgspec.json.Decoder(Decision)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[int]:
    """The file, made if need be and open for appending, while no other process writes to it."""
    path = root / FILE
    stream, instead = -1, contextlib.ExitStack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                fcntl.flock(stream, fcntl.LOCK_EX)
            except OSError as error:
                if not has_no_locks(error):
                    raise
                os.close(stream)
                instead.enter_context(waiting_lock(path.with_name(f".{path.name}.lock")))
                stream = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
                break
            if path.exists() and os.path.samestat(os.fstat(stream), path.stat()):
                break
            os.close(stream)  # another process has put a new file in its place
        yield stream
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        instead.close()
        if stream >= 0:
            with contextlib.suppress(OSError):
                os.close(stream)
