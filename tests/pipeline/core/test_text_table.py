"""Plain tables stand in line, also with wide characters."""

from __future__ import annotations

import pytest

from curate.pipeline.core.text_table import table, width


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("長い髪", 6), ("ｶﾅ", 2), ("e\u0301", 1), ("", 0)])
def test_width_counts_terminal_columns(text: str, columns: int) -> None:
    assert width(text) == columns


def test_columns_stand_in_line() -> None:
    lines = table(("domain", "found", "share"), [("ロングヘア", 1200, 0.5), ("short", None, 12.0)]).split("\n")
    assert lines == [
        "domain      found  share",
        "ロングヘア  1,200    0.5",
        "short           ·   12.0",
    ]
    assert len({width(line) for line in lines}) == 1


def test_a_cell_of_a_stranger_s_stays_on_its_line_and_in_line() -> None:
    lines = table(("domain", "found"), [("a\x1b[31m\nb\tc\u202e", 1), ("short", 2)]).split("\n")
    assert lines == [
        "domain                 found",
        r"a\x1b[31m\nb\tc\u202e      1",
        "short                      2",
    ]
