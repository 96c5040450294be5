"""One person's review: what to look at, in which order, what was decided, and how it is taken back.

A page asks this; so may several at once, and other commands may write decisions meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.core.errors import CurateError, UsageError
from curate.pipeline.faces.placed import DETECTOR
from curate.pipeline.review import review_items
from curate.pipeline.review.review_items import FALLING, KINDS, ReviewItems
from curate.pipeline.tables import placements
from curate.pipeline.tables.decision_log import DecisionLog
from curate.pipeline.tables.decisions import UNDO, Decision
from curate.pipeline.tables.manifest import OK
from curate.pipeline.tables.placements import PlacedFace

STATES = {"open": "", "kept": "k", "rejected": "r", "moved": "m", "placed": "p"}  # and the letter of each
Verdict: TypeAlias = Literal["keep", "reject", "move"]
_LETTERS = {"keep": "k", "reject": "r", "move": "m"}
DECIDED, REFUSED = "decided", "refused"


@dataclass(frozen=True, kw_only=True)
class ReviewQuery:
    """What to look at, and in which order; what is empty does not matter."""

    kind: str = "crops"
    domain: str = ""
    state: str = ""  # of STATES, or DECIDED
    reason: str = ""  # of the stages: "ok", REFUSED for any other, or one of them
    order: str = review_items.DOUBT  # a key of the items
    reverse: bool = False
    low: float | None = None  # of the key, of those that are shown
    high: float | None = None
    cluster: str = ""  # copies of this item alone
    find: str = ""  # in ids, titles and addresses


class ReviewSession:
    """The items below a folder and what was decided on them. Its methods may be called from several threads."""

    def __init__(self, root: Path, by: str) -> None:
        """`by` is whose decisions these are. Raises TableError where there is nothing to review."""
        self.root, self.by = root, by
        self.kinds = review_items.kinds(root)
        self._log = DecisionLog(root)
        self._placed_size = 0  # bytes of their file, which only grows
        self._placed: dict[str, tuple[PlacedFace, ...]] = {}
        self._lock = threading.RLock()
        self._loaded: dict[str, tuple[tuple[int, int], ReviewItems]] = {}
        self._states: dict[str, NDArray[np.str_]] = {}  # by kind: the letter of each item

    def items(self, kind: str) -> ReviewItems:
        """The crops or the pairs, read anew when their table has changed. Raises UsageError for another kind."""
        if kind not in self.kinds:
            raise UsageError(f"there are no '{kind}' to review", f"there are: {', '.join(self.kinds)}")
        with self._lock:
            table, load = KINDS[kind]
            stat = table.path(self.root).stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if kind not in self._loaded or self._loaded[kind][0] != stamp:
                self._loaded[kind] = stamp, load(self.root)
                self._states.pop(kind, None)
            return self._loaded[kind][1]

    def prepare(self) -> None:
        """Reads and orders all that a page asks for first, before somebody waits for it."""
        for kind in self.kinds:
            own = self.items(kind)
            _ = own.places, own.rows_of, own.values(review_items.DOUBT)
            self.states(kind)

    def states(self, kind: str) -> NDArray[np.str_]:
        """The letter of each item, [n]: what persons have decided on it, whoever wrote it down, up to now."""
        own = self.items(kind)
        with self._lock:
            new = self._log.follow()
            if new is None:
                self._states.clear()
            touched = {one.item for one in new or ()} | self._follow_placed()
            for known in self._states:
                self._judge(known, (place for item in touched for place in self._rows(known, item)))
            if kind not in self._states:
                self._states[kind] = np.zeros(len(own.ids), "U1")
                self._judge(kind, range(len(own.ids)) if self._log.decided or self._placed else ())
            return self._states[kind]

    def _follow_placed(self) -> set[str]:
        """The photos in which faces were placed, or taken back, since it was asked last."""
        path = self.root / placements.FILE
        size = path.stat().st_size if path.exists() else 0
        if size == self._placed_size:
            return set()
        before, self._placed, self._placed_size = self._placed, placements.read(self.root), size
        return {image for image in {*before, *self._placed} if before.get(image) != self._placed.get(image)}

    def _rows(self, kind: str, item: str) -> Sequence[int]:
        return self._loaded[kind][1].rows_of.get(item, ())

    def _judge(self, kind: str, places: Iterable[int]) -> None:
        for place in places:
            own = self._loaded[kind][1]
            found = self.decision(own, place)
            letter = _LETTERS[found.decision] if found and found.by_person else ""
            self._states[kind][place] = letter or ("p" if self._gives_way(own, place) else "")

    def _gives_way(self, own: ReviewItems, place: int) -> bool:
        """Whether a face that a person has placed in its photo takes its place with the next `curate crop`."""
        return own.images[place][0] in self._placed and own.detectors[place] != DETECTOR

    def decision(self, own: ReviewItems, place: int) -> Decision | None:
        """What holds for an item."""
        return self._log.decided.decision(own.decided_as[place], *own.images[place])

    def view(self, query: ReviewQuery) -> tuple[list[str], str]:
        """The ids of what `query` asks for, in its order, and a letter for each: its state, "-" for none.

        Raises UsageError for a name that there is not.
        """
        own, states = self.items(query.kind), self.states(query.kind)
        values = own.values(query.order)
        fits = _states_fit(states, query.state) & _reasons_fit(own.reasons, query.reason)
        if query.domain:
            fits &= own.domains == query.domain
        if query.cluster:
            fits &= own.clusters == own.clusters[self.place(own, query.cluster)]
        if query.find:
            wanted = query.find.lower()
            fits &= np.array([wanted in text for text in own.haystacks], bool)
        for bound, sign in ((query.low, 1.0), (query.high, -1.0)):
            if bound is not None:
                fits &= sign * values >= sign * bound
        places = np.flatnonzero(fits)
        falls = (query.order in FALLING) != query.reverse
        chosen = values[places]
        places = places[np.argsort(-chosen if falls else chosen, kind="stable")]
        return own.ids[places].tolist(), "".join(letter or "-" for letter in states[places].tolist())

    def place(self, own: ReviewItems, name: str) -> int:
        """The row of the id `name`. Raises UsageError for one that there is not."""
        if name not in own.places:
            raise UsageError(f"there is no item '{name}' any more", "load the page again")
        return own.places[name]

    def photo_path(self, image: str) -> str:
        """Where the photo lies, below the root. Raises UsageError for one that there is not."""
        for kind in self.kinds:
            if (known := self.items(kind).photos.get(image)) and known["path"]:
                return str(known["path"])
        raise UsageError(f"there is no photo '{image}' any more", "load the page again")

    def counts(self, kind: str) -> dict[str, Any]:
        """What there is to filter by, and how much of it."""
        own, states = self.items(kind), self.states(kind)
        letters = Counter(states.tolist())
        return {
            "domains": dict(sorted(Counter(own.domains.tolist()).items())),
            "reasons": dict(Counter(own.reasons.tolist()).most_common()),
            "states": {name: letters.get(letter, 0) for name, letter in STATES.items()},
            "keys": list(own.keys),
            "total": len(own.ids),
        }

    def decide(
        self,
        kind: str,
        names: Sequence[str],
        decision: Verdict,
        *,
        reason: str = "",
        domain: str = "",
    ) -> dict[str, str]:
        """Writes a decision on each of `names` down; returns the letters of all items that it changes, by id.

        Raises UsageError for an id or a domain that there is not, and for a keep of what crop or dedup has refused:
        there is no picture that could train.
        """
        own = self.items(kind)
        places = [self.place(own, name) for name in dict.fromkeys(names)]
        if domain and (kind != "crops" or domain not in set(own.domains.tolist())):
            raise UsageError(f"there is no domain '{domain}' to move it to", "choose one that there is")
        needs_crop = kind == "crops" and decision in {"keep", "move"}
        if refused := [place for place in places if needs_crop and own.reasons[place] != OK]:
            raise UsageError(
                f"{own.ids[refused[0]][:12]} was refused ({own.reasons[refused[0]]}): this brings nothing back",
                "place its face, or change the threshold in params.yaml",
            )
        when = precisely_now()
        made = [
            Decision(item=name, decision=decision, domain=domain, reason=reason, by=self.by, when=when)
            for name in dict.fromkeys(own.decided_as[places].tolist())
        ]
        return self._write(kind, made)

    def undo(self, kind: str) -> tuple[int, dict[str, str]]:
        """Takes back what this person decided, or placed, last at one time: how much, and the letters that change."""
        with self._lock:
            self.states(kind)
            taken = self._log.last_action(self.by)
            mine = [face for faces in self._placed.values() for face in faces if face.by == self.by]
            face = max(mine, key=lambda face: face.when, default=None)
            when = precisely_now()
            if face and (not taken or face.when > taken[0].when):
                placements.append(self.root, PlacedFace(item=face.item, by=self.by, when=when))
                return 1, self.written("crops", [face.item])
            made = [Decision(item=one.item, decision=UNDO, by=self.by, when=when) for one in taken]
            return len(taken), self._write(kind, made) if made else {}

    def written(self, kind: str, names: Iterable[str]) -> dict[str, str]:
        """The letters of all items that what was just written of `names` changes, by id.

        None of them where they can't be read anew: what was written stands, so nobody is to do it again, and the next
        look says what is wrong.
        """
        with self._lock:
            try:
                states, own = self.states(kind), self.items(kind)
            except CurateError:
                return {}
            touched = sorted({place for name in names for place in own.rows_of.get(name, ())})
            return {own.ids[place]: str(states[place]) or "-" for place in touched}

    def _write(self, kind: str, made: Sequence[Decision]) -> dict[str, str]:
        with self._lock:
            self._log.append(made)
            return self.written(kind, [one.item for one in made])


def precisely_now() -> str:
    """The time of a decision: what was decided at once has the same, and is taken back at once."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _states_fit(states: NDArray[np.str_], wanted: str) -> NDArray[np.bool_]:
    if not wanted:
        return np.ones(len(states), np.bool_)
    if wanted == DECIDED:
        return states != ""
    if wanted not in STATES:
        raise UsageError(f"there is no state '{wanted}'", f"states: {', '.join([*STATES, DECIDED])}")
    return states == STATES[wanted]


def _reasons_fit(reasons: review_items.Names, wanted: str) -> NDArray[np.bool_]:
    if not wanted:
        return np.ones(len(reasons), np.bool_)
    return np.asarray(reasons != OK if wanted == REFUSED else reasons == wanted, np.bool_)
