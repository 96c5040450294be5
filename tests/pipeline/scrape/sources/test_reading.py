"""Reading what pages say: srcset, licences, free text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.scrape.sources.candidate import tidy
from curate.pipeline.scrape.sources.srcset import parse_srcset


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a.jpg", [("a.jpg", 0, 1)]),
        ("a.jpg, b.jpg 2x", [("a.jpg", 0, 1), ("b.jpg", 0, 2)]),
        ("a,b.jpg 1x, c.jpg 2x", [("a,b.jpg", 0, 1), ("c.jpg", 0, 2)]),
        ("a.jpg,", [("a.jpg", 0, 1)]),
        (",, a.jpg 100w ,b.jpg 1.5x", [("a.jpg", 100, 1), ("b.jpg", 0, 1.5)]),
        ("a.jpg bad, b.jpg 10w", [("b.jpg", 10, 1)]),
        ("a.jpg 100w 50h, b.jpg (x, y) 10w, c.jpg", [("a.jpg", 100, 1), ("c.jpg", 0, 1)]),
    ],
)
def test_srcset(text: str, found: list[tuple[str, float, float]]) -> None:
    assert parse_srcset(text) == found


urls = st.from_regex(r"[a-z0-9/_.:?=-]([a-z0-9/_.,:?=-]{0,20}[a-z0-9/_.:?=-])?", fullmatch=True)


@given(st.lists(st.tuples(urls, st.integers(1, 9999)), max_size=6))
def test_a_written_srcset_is_read_back(candidates: list[tuple[str, int]]) -> None:
    text = ", ".join(f"{url} {width}w" for url, width in candidates)
    assert [(s.url, s.width) for s in parse_srcset(text)] == candidates


@given(st.text(max_size=80))
def test_any_srcset_is_read(text: str) -> None:
    assert all(source.url for source in parse_srcset(text))


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("  a\n b\t ", "a b"),
        ("<b>Mika</b> <a href='x'>y</a>", "Mika y"),
        ("\x00", None),
        ("", None),
        (None, None),
        (7, "7"),
        ({}, None),
        ("か\u3099", "が"),
        ("x" * 900, "x" * 500),
    ],
)
def test_free_text_is_tidied(text: object, tidied: str | None) -> None:
    assert tidy(text) == tidied
