"""Votes from pages of `curate compare`, counted: who was preferred how often, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from curate.pipeline.core import text_table
from curate.pipeline.core.errors import UsageError

LARGEST = 50_000_000  # bytes of a file of votes
Z = 1.959964  # standard deviations on either side of a normal mean that hold 95 %
Name = Annotated[str, Meta(max_length=500)]


class Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of two runs' pictures of a photo somebody found better."""

    way: Name
    photo: Name
    left: Name
    right: Name
    choice: Literal["left", "right", "same"]


class Ballot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one person voted on one page."""

    page: Name
    voter: Name
    runs: list[Name]
    votes: list[Vote]


@dataclass(frozen=True)
class Contest:
    """How two runs did against each other, one way or ("") all ways together."""

    first: str
    second: str
    way: str
    wins: int  # of the first
    losses: int
    same: int

    @property
    def share(self) -> float:
        """Of the votes that preferred one, those for the first; 0.5 where there are none."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `share`."""
        return wilson(self.wins, self.wins + self.losses)


def read(paths: Iterable[Path]) -> list[Ballot]:
    """The ballots in `paths`; of one voter's several the longest. Raises UsageError for what is no file of votes, and
    for votes on different pages.
    """
    ballots: dict[str, Ballot] = {}
    first: tuple[Path, str] | None = None
    for path in paths:
        found = _read(path)
        first = first or (path, found.page)
        if found.page != first[1]:
            raise UsageError(
                f"{path}: votes on another page than {first[0]}: other runs, or trained or measured anew since",
                "count the votes of each page by themselves",
            )
        if found.voter not in ballots or len(found.votes) > len(ballots[found.voter].votes):
            ballots[found.voter] = found
    return list(ballots.values())


def _read(path: Path) -> Ballot:
    hint = "name files that the page of curate compare has saved"
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: larger than any file of votes", hint)
        ballot = msgspec.json.decode(path.read_bytes(), type=Ballot)
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror or error}", hint) from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path}: no file of votes: {error}", hint) from None
    names = {ballot.voter, *ballot.runs, *(name for vote in ballot.votes for name in (vote.way, vote.photo))}
    strangers = {name for vote in ballot.votes for name in (vote.left, vote.right)} - set(ballot.runs)
    if strangers or not all(name.isprintable() for name in names):
        raise UsageError(f"{path}: no file of votes: names that are none of its page's", hint)
    return ballot


def count(ballots: Sequence[Ballot]) -> list[Contest]:
    """A tally for each two runs: all ways together, then, of several, each."""
    votes = [vote for ballot in ballots for vote in ballot.votes if vote.left != vote.right]
    runs = list(dict.fromkeys(name for ballot in ballots for name in ballot.runs))
    ways = list(dict.fromkeys(vote.way for vote in votes))
    return [
        tally
        for number, one in enumerate(runs)
        for other in runs[number + 1 :]
        for way in ("", *(ways if len(ways) > 1 else ()))
        if (tally := _tally(one, other, way, votes))
    ]


def _tally(one: str, other: str, way: str, votes: Sequence[Vote]) -> Contest | None:
    """None without a vote."""
    preferred = [
        "" if vote.choice == "same" else vote.left if vote.choice == "left" else vote.right
        for vote in votes
        if {vote.left, vote.right} == {one, other} and way in ("", vote.way)
    ]
    wins, losses, same = (preferred.count(name) for name in (one, other, ""))
    return Contest(one, other, way, wins, losses, same) if preferred else None


def wilson(wins: int, count: int, z: float = Z) -> tuple[float, float]:
    """The interval in which the true share lies, for `wins` of `count`; (0, 1) for a count of 0.

    Wilson, Probable Inference (1927). It stays within [0, 1], and is not empty where all or none won.
    """
    if not count:
        return 0.0, 1.0
    share, weight = wins / count, z * z / count
    middle = (share + weight / 2) / (1 + weight)
    width = z * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return max(0.0, middle - width), min(1.0, middle + width)


def sign_test(wins: int, losses: int) -> float:
    """How likely a result at least as uneven is where both are equally good: two-sided, exact."""
    n, most = wins + losses, max(wins, losses)
    tail = sum(math.comb(n, k) for k in range(most, n + 1))
    return min(1.0, 2 * tail / 2**n)


def text(ballots: Sequence[Ballot]) -> str:
    """The tallies for a terminal: 95 % intervals of the shares, and the sign test's p."""
    return "\n".join(_lines(ballots))


def _lines(ballots: Sequence[Ballot]) -> Iterator[str]:
    votes = [vote for ballot in ballots for vote in ballot.votes]
    yield f"{len(votes)} votes by {len(ballots)} {'person' if len(ballots) == 1 else 'people'}"
    rows = []
    for tally in count(ballots):
        low, high = tally.interval
        chance = sign_test(tally.wins, tally.losses)
        row = [f"{tally.first} or {tally.second}", tally.way or "all", tally.wins, tally.losses, tally.same]
        rows.append([*row, f"{100 * tally.share:.0f} % ({100 * low:.0f} to {100 * high:.0f})", f"p {chance:.2g}"])
    if rows:
        yield text_table.table(["", "", "first", "second", "same", "for the first", "sign test"], rows, left=2)
    decided = [vote.choice for vote in votes if vote.choice != "same"]
    if decided:
        low, high = wilson(decided.count("left"), len(decided))
        odd = "" if low <= 0.5 <= high else ": a habit, which the drawn order evens out"
        yield f"the left one was preferred {decided.count('left')} of {len(decided)} times{odd}"
