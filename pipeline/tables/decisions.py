"""Decisions on single items, by a person or by a command: manifests/review.jsonl, read and written here alone.

One JSON object per line, in the order in which they were made, so that git can diff and merge them:

    {"item": "4be1...", "decision": "reject", "reason": "mirrored", "by": "person", "when": "2026-01-02T03:04:05Z"}

and after these a checksum, "crc", which a line that a person writes or edits does without.

`item` is a crop_id, a pair_id or an image_id; what is said of an image holds for every crop and pair made of it. A crop
that is moved trains in the `domain` that its line names. Of several decisions on one item the last line wins, but a
person's outranks a command's, whichever came first. The decision "undo" takes back the newest one that the same person
made on the item and did not take back yet, so that what was said before it holds again; the same said twice in a row is
said once. Lines that are no decisions are reported and left where they are; they decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from curate.pipeline.tables import json_lines
from curate.pipeline.tables.checks import is_domain

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
        if self.domain and not is_domain(self.domain):
            raise ValueError("`domain` is no name of a domain")

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
            stack = known.setdefault(one.item, [])
            own = [at for at, old in enumerate(stack) if old.by == one.by]
            if own and (one.decision == UNDO or _same(stack[own[-1]], one)):
                del stack[own[-1]]
            if one.decision != UNDO:
                stack.append(one)
            if not stack:
                del known[one.item]

    def stands(self, made: Decision) -> bool:
        """Whether `made`, one of those that were counted, was not taken back, nor said again."""
        known = self._by_person if made.by_person else self._by_command
        return any(one is made for one in known.get(made.item, ()))

    def by_persons(self) -> Decisions:
        """Those of persons alone."""
        return Decisions(chain.from_iterable(self._by_person.values()))

    def persons(self) -> set[str]:
        """Whose decisions stand."""
        return {one.by for stack in self._by_person.values() for one in stack}

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

    def newest(self, item: str, by: str) -> Decision | None:
        """The newest decision of `by` on `item` that stands, which an undo of theirs takes back; None without one."""
        stack = [*self._by_person.get(item, ()), *self._by_command.get(item, ())]
        return next((one for one in reversed(stack) if one.by == by), None)

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


def append(root: Path, made: Iterable[Decision], *, whole: bool = False) -> None:
    """Adds `made` at the end of the file, all or none; makes the file. Raises CurateError for a disk that refuses.

    Where it fails, decisions may yet stand there, which does no harm if they are made again. Those that are not to be,
    `whole`, do not; nor does what takes one back, or else it would take back two.
    """
    made = list(made)
    whole = whole or any(one.decision == UNDO for one in made)
    add = json_lines.append_whole if whole else json_lines.append
    add(root / FILE, made)


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

    def lines() -> tuple[list[bytes], list[bytes]]:
        found = list(_lines(root))
        left = [text for _, text, one in found if not isinstance(one, Decision) or keep(one)]
        return [text for _, text, _ in found], left + [json_lines.sealed(one) for one in new()]

    json_lines.rewrite(root / FILE, lines)


def _lines(root: Path) -> Iterator[json_lines.Line[Decision]]:
    return json_lines.read(root / FILE, _DECODER)


def parse(data: bytes) -> Iterator[json_lines.Line[Decision]]:
    """The lines of `data`."""
    return json_lines.parse(data, _DECODER)


def _same(one: Decision, other: Decision) -> bool:
    return msgspec.structs.replace(one, when=other.when) == other


_DECODER = msgspec.json.Decoder(Decision)
