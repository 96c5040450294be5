"""What a person says of single items by their ids: decisions in manifests/review.jsonl."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from curate.pipeline.core.errors import UsageError
from curate.pipeline.review import review_items
from curate.pipeline.review.session import precisely_now
from curate.pipeline.tables import decisions, manifest
from curate.pipeline.tables.decisions import Decision

REASONS: Mapping[str, Sequence[str]] = {  # that the page offers, by kind
    "crops": ("not a face", "blurred", "covered", "cut off", "text on it", "wrong domain", "drawing", "copy"),
    "pairs": ("another garment", "not worn", "from behind", "cut off", "several people", "text on it", "copy"),
}
_PREFIX = 8  # letters of an id that are enough, where no other begins so


def decide(
    root: Path, names: Sequence[str], decision: Literal["keep", "reject"], *, reason: str = "", by: str
) -> list[str]:
    """Writes the decision on each of `names` (crop_ids, pair_ids, image_ids; first letters are enough) down.

    Returns the whole ids. Raises UsageError for one that is none or begins several, before anything is written;
    TableError where there is nothing to decide on.
    """
    known = _known(root)
    chosen = [_named(name, known) for name in names]
    when = precisely_now()
    decisions.append(root, [Decision(item=item, decision=decision, reason=reason, by=by, when=when) for item in chosen])
    return chosen


@dataclass(frozen=True)
class TakenBack:
    """A decision that holds no more, and the one that holds in its place."""

    item: str
    decision: str
    holds: str | None
    by: str | None  # whose that is


def undecide(root: Path, names: Sequence[str], *, by: str) -> list[TakenBack]:
    """Takes back the newest decision that `by` made on each of `names`, which are named as for `decide`.

    Raises UsageError for a name that is none, or on which nothing of theirs stands, before anything is written.
    """
    known = _known(root)
    chosen = dict.fromkeys(_named(name, known) for name in names)
    made = decisions.read(root)
    taken = {item: made.newest(item, by) for item in chosen}
    if free := [item for item, one in taken.items() if one is None]:
        others = made.decision(free[0])
        told = f"; what holds is {others.decision}, by {others.by}" if others else ""
        hint = "curate select --undo" if others and not others.by_person else "say whose: --by NAME"
        raise UsageError(f"{free[0]}: {by} has decided nothing there{told}", hint)
    when = precisely_now()
    undone = [Decision(item=item, decision=decisions.UNDO, by=by, when=when) for item in chosen]
    decisions.append(root, undone)
    made.add(undone)
    return [_taken_back(one, made.decision(one.item)) for one in taken.values() if one]


def _taken_back(taken: Decision, left: Decision | None) -> TakenBack:
    return TakenBack(taken.item, taken.decision, left.decision if left else None, left.by if left else None)


def whoever() -> str:
    """Who sits here: the user's name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "person"
    return person(name)


def person(name: str) -> str:
    """`name`. Raises UsageError for one that stands for a command."""
    if not name.strip() or name in {*decisions.COMMANDS, decisions.SUSPECTS}:
        raise UsageError(f"'{name}' stands for a command of curate's in {decisions.FILE}", "say who decides: --by NAME")
    return name.strip()


def _known(root: Path) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Every id that a decision may name, sorted."""
    found: set[str] = set()
    for kind in review_items.kinds(root):
        table, _ = review_items.KINDS[kind]
        columns = {table.key, "image_id", "article_image_id", "human_image_id"} & set(table.schema.names)
        data = manifest.read(table, root, sorted(columns))
        for column in data.columns:
            found.update(filter(None, column.to_pylist()))
    return np.array(sorted(found), np.str_)


def _named(name: str, known: np.ndarray[tuple[int], np.dtype[np.str_]]) -> str:
    first = int(np.searchsorted(known, name))
    matching = [str(one) for one in known[first : first + 2] if one.startswith(name)]
    if name in matching:
        return name
    if len(name) < _PREFIX:
        raise UsageError(f"'{name}' is no id: give its first {_PREFIX} letters at least", "contact sheets show ids")
    if len(matching) != 1:
        told = "begins several ids" if matching else "is no crop, pair or photo of this project"
        raise UsageError(f"'{name}' {told}", "contact sheets show ids: curate sort --by face_sharpness")
    return matching[0]
