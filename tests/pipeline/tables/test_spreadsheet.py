"""CSV and TSV of strangers' text: no cell runs, none breaks out, and programs read what was written."""

from __future__ import annotations

import csv
import io

import pytest

from curate.pipeline.tables import spreadsheet


def written(value: object, separator: str = ",") -> str:
    """The line of a table that has `value` between two plain cells."""
    file = io.StringIO()
    spreadsheet.write(file, ("a", "b", "c"), [("x", value, "y")], separator=separator)
    return file.getvalue().removeprefix(separator.join("abc") + "\n")


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("begin", [*"=+-@＝＋－＠﹦﹢﹣﹫", " =", "\t=", "\r\n=", "\u3000＝", "\xa0=", "\v@"])
def test_no_text_begins_as_a_formula_does(begin: str, separator: str) -> None:
    (row,) = csv.reader([written(f"{begin}cmd|' /C calc'!A0", separator)], delimiter=separator)
    assert len(row) == 3
    assert row[1].startswith("'")


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\tb", "a\x85b", "a\u2028=1", 'a"\n=1', '"', "a\x1b[31m\u202e", "a,=1;=2|=3", "\ud800"]
)
def test_a_cell_is_one_cell_of_visible_text(text: str, separator: str) -> None:
    line = written(text, separator)
    assert line.count("\n") == 1
    assert not set("\r\x85\u2028\x1b\u202e\ud800") & set(line)
    (row,) = csv.reader([line], delimiter=separator)
    assert [row[0], row[2]] == ["x", "y"]


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("other", [",", ";", "|"])
def test_a_separator_that_a_spreadsheet_may_guess_is_in_quotes(other: str, separator: str) -> None:
    assert written(f"a{other}=1", separator) == f'x{separator}"a{other}=1"{separator}y\n'


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, ""), (float("nan"), ""), (-3, "-3"), (-0.5, "-0.5"), (1e-7, "1e-07"), (True, "True"), ("長い髪", "長い髪")],
)
def test_numbers_and_plain_text_are_as_they_are(value: object, cell: str) -> None:
    assert written(value) == f"x,{cell},y\n"
