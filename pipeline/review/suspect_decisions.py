"""What a person says of suspects, by their numbers on the sheet: decisions in manifests/review.jsonl."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from curate.pipeline.core.errors import UsageError, nearest
from curate.pipeline.review import suspects
from curate.pipeline.tables import decisions
from curate.pipeline.tables.decisions import SUSPECTS, Decision

What: TypeAlias = Literal["move", "reject", "keep"]

_RANKS = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?")
_PREFIX = 8  # letters of a crop_id that are enough, where no other begins so


def decide(root: Path, wishes: Mapping[What, str], to: str | None = None) -> dict[What, int]:
    """Writes down what is to be done with the suspects that each of `wishes` names; returns how many that are.

    They are named as `named` reads them. What is moved goes to the domain that its neighbours say, or to `to`. Raises
    UsageError for a name that is none, for one that two wishes name, and for a domain that there is not; TableError
    where no list has been made.
    """
    rows = suspects.table(root).to_pylist()
    known = sorted({row["domain"] for row in rows})
    if to is not None and to not in known:
        raise UsageError(f"--to: there is no domain '{to}'{nearest(to, known)}", f"domains: {', '.join(known)}")
    chosen = {what: named(text, rows, what) for what, text in wishes.items()}
    seen: set[str] = set()
    for what, found in chosen.items():
        if twice := [row for row in found if row["crop_id"] in seen]:
            raise UsageError(f"--{what}: {twice[0]['rank']} is named by another option, too", "decide it once")
        seen |= {row["crop_id"] for row in found}
    now = decisions.now()
    made = [_decision(what, row, to, now) for what, found in chosen.items() for row in found]
    decisions.append(root, made)
    return {what: len(found) for what, found in chosen.items()}


def named(text: str, rows: Sequence[Mapping[str, Any]], what: str) -> list[Mapping[str, Any]]:
    """The `rows` that `text` names: 3, 1-9 or crop_ids (their first letters are enough), with commas between.

    Raises UsageError for one that is not on the list.
    """
    by_rank = {row["rank"]: row for row in rows if row["rank"] is not None}
    found: dict[str, Mapping[str, Any]] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        if match := _RANKS.fullmatch(word):
            first, last = int(match[1]), int(match[2] or match[1])
            lacking = next((rank for rank in (first, last) if rank not in by_rank), None)
            if lacking is not None or last < first:
                raise UsageError(f"--{what} {word}: the list goes from 1 to {len(by_rank)}", "as in: 1-9,12")
            found |= {by_rank[rank]["crop_id"]: by_rank[rank] for rank in range(first, last + 1)}
            continue
        match_ids = [row for row in rows if row["crop_id"].startswith(word)] if len(word) >= _PREFIX else []
        if len(match_ids) != 1:
            told = "is no number on the list and no crop_id of it" if not match_ids else "begins several crop_ids"
            raise UsageError(f"--{what}: '{word}' {told}", "numbers are those on the sheet, as in: 1-9,12")
        found[match_ids[0]["crop_id"]] = match_ids[0]
    if not found:
        raise UsageError(f"--{what}: names nothing", "as in: 1-9,12")
    return list(found.values())


def undo(root: Path) -> int:
    """Takes back all that `decide` has written down; returns how many decisions that were."""
    return decisions.remove(root, SUSPECTS)


def _decision(what: What, row: Mapping[str, Any], to: str | None, now: str) -> Decision:
    domain = to or row["voted"]
    if what == "move" and domain == row["domain"]:
        raise UsageError(f"--move {row['rank']}: it is in {domain} already", "leave it out, or name another --to")
    return Decision(
        item=row["crop_id"],
        decision=what,
        domain=domain if what == "move" else "",
        reason=f"{row['score']:.0%} of its neighbours' votes say {row['voted']}, not {row['domain']}",
        by=SUSPECTS,
        when=now,
    )
