"""The split: the right shares, and no row ever moves because others came."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.pipeline.core.errors import UsageError
from curate.pipeline.tables.splits import SPLITS, check_shares, gaps, split_of

NAMES = st.text(min_size=1, max_size=40)
SHARES = st.floats(0.0, 0.5)


@settings(deadline=None)
@given(NAMES, SHARES, SHARES, st.text(max_size=8))
def test_a_split_depends_on_the_name_and_the_shares_alone(name: str, val: float, test: float, salt: str) -> None:
    first = split_of(name, val=val, test=test, salt=salt)
    assert first in SPLITS
    assert split_of(name, val=val, test=test, salt=salt) == first


@settings(deadline=None)
@given(NAMES, SHARES, SHARES, st.floats(0.0, 0.5))
def test_a_larger_test_share_only_takes_in(name: str, val: float, test: float, more: float) -> None:
    larger = min(test + more, 1.0 - val)
    if larger >= test and split_of(name, val=val, test=test) == "test":
        assert split_of(name, val=val, test=larger) == "test"


def test_the_shares_are_kept() -> None:
    counts = Counter(split_of(f"cluster {i}", val=0.1, test=0.2) for i in range(20_000))
    assert counts["val"] == pytest.approx(2000, abs=150)
    assert counts["test"] == pytest.approx(4000, abs=200)


@pytest.mark.parametrize(("val", "test", "only"), [(0.0, 0.0, "train"), (1.0, 0.0, "val"), (0.0, 1.0, "test")])
def test_whole_shares_leave_nothing_over(val: float, test: float, only: str) -> None:
    assert {split_of(str(i), val=val, test=test) for i in range(500)} == {only}


def test_another_salt_makes_another_split() -> None:
    plain = [split_of(str(i), val=0.2, test=0.2) for i in range(200)]
    assert plain != [split_of(str(i), val=0.2, test=0.2, salt="other") for i in range(200)]


def test_known_points_stay_where_they_are() -> None:
    """Splits of data sets that people have made already must not change with a new version."""
    points = [0.77, 0.93, 0.56, 0.88, 0.44, 0.33, 0.74, 0.42]  # of sha256("\n0") ... sha256("\n7"), by sha256sum
    expected = ["test" if p < 0.4 else "val" if p < 0.7 else "train" for p in points]
    assert [split_of(str(i), val=0.3, test=0.4) for i in range(8)] == expected


def test_more_than_everything_is_refused() -> None:
    check_shares("build", 0.5, 0.5)
    with pytest.raises(UsageError, match=r"build\.val \+ build\.test"):
        check_shares("build", 0.6, 0.5)


def test_gaps_names_domains_without_a_wanted_split() -> None:
    rows = [("a", "train")] * 5 + [("a", "val"), ("b", "val"), ("b", "test"), ("b", "train")]
    told = list(gaps(rows, {"val": 0.1, "test": 0.1}))
    assert told == ["a: none of its 6 rows is in test: too few for a share of 0.1"]
    assert not list(gaps(rows[:6], {"val": 0.1, "test": 0.0}))
