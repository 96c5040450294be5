"""Votes counted, against shares and intervals that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curate.pipeline.core.errors import UsageError
from curate.train.comparison import votes
from tests.support.command import curate

RUNS = ["one", "two", "three"]


def ballot(path: Path, *cast: tuple[str, str, str], voter: str = "me", way: str = "a to b", **more: Any) -> Path:
    """A file of votes: left, right and the choice between them."""
    plain = [
        {"way": way, "photo": str(n), "left": left, "right": right, "choice": choice}
        for n, (left, right, choice) in enumerate(cast)
    ]
    path.write_text(json.dumps({"page": "p", "voter": voter, "runs": RUNS, "votes": plain, **more}), "utf-8")
    return path


def test_the_interval_is_wilsons() -> None:
    assert votes.wilson(8, 10) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert votes.wilson(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert votes.wilson(0, 0) == (0.0, 1.0)


def test_the_sign_test_is_exact() -> None:
    assert votes.sign_test(9, 1) == pytest.approx(22 / 1024)
    assert votes.sign_test(1, 9) == votes.sign_test(9, 1)
    assert votes.sign_test(5, 5) == 1.0
    assert votes.sign_test(0, 0) == 1.0


def test_a_run_wins_on_whichever_side_it_stood(tmp_path: Path) -> None:
    cast = [("one", "two", "left"), ("two", "one", "right"), ("two", "one", "left"), ("one", "two", "same")]
    (tally,) = votes.count(votes.read([ballot(tmp_path / "v.json", *cast)]))
    assert (tally.first, tally.second, tally.wins, tally.losses, tally.same) == ("one", "two", 2, 1, 1)
    assert tally.share == pytest.approx(2 / 3)
    assert tally.interval == votes.wilson(2, 3)


def test_people_and_ways_are_summed_and_nobody_counts_twice(tmp_path: Path) -> None:
    early = ballot(tmp_path / "early.json", ("one", "two", "right"))
    late = ballot(tmp_path / "late.json", ("one", "two", "right"), ("one", "three", "left"))
    other = ballot(tmp_path / "other.json", ("two", "one", "right"), voter="you", way="b to a")
    ballots = votes.read([early, late, other])
    assert [len(one.votes) for one in ballots] == [2, 1]
    found = {(t.first, t.second, t.way): (t.wins, t.losses) for t in votes.count(ballots)}
    assert found == {
        ("one", "two", ""): (1, 1),
        ("one", "two", "a to b"): (0, 1),
        ("one", "two", "b to a"): (1, 0),
        ("one", "three", ""): (1, 0),
        ("one", "three", "a to b"): (1, 0),
    }


def test_the_command_shows_the_tally_and_gives_it_as_json(tmp_path: Path) -> None:
    file = ballot(tmp_path / "v.json", *[("one", "two", "left")] * 8, *[("one", "two", "right")] * 2)
    shown = curate("compare", "--votes", file).stdout
    assert "10 votes by 1 person" in shown
    assert "80 % (49 to 94)" in shown
    assert "the left one was preferred 8 of 10 times" in shown
    (tally,) = json.loads(curate("compare", "--votes", file, "--json").stdout)
    assert (tally["wins"], tally["losses"], tally["share"]) == (8, 2, 0.8)


def test_what_is_no_file_of_votes_is_refused(tmp_path: Path) -> None:
    good = ballot(tmp_path / "good.json", ("one", "two", "left"))
    texts = {
        "no JSON": "votes",
        "choice": ballot(tmp_path / "choice.json", ("one", "two", "both")).read_text(),
        "stranger": ballot(tmp_path / "stranger.json", ("one", "four", "left")).read_text(),
        "escape": ballot(tmp_path / "escape.json", ("one", "two", "left"), voter="\x1b[2J").read_text(),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(UsageError, match="no file of votes"):
            votes.read([good, tmp_path / name])
    with pytest.raises(UsageError, match="cannot read"):
        votes.read([tmp_path / "missing.json"])
    with pytest.raises(UsageError, match="another page"):
        votes.read([good, ballot(tmp_path / "elsewhere.json", ("one", "two", "left"), voter="you", page="q")])
    assert "leave it out" in curate("compare", "one", "--votes", good, code=2).stderr
