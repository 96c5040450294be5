"""The list of sources: every one with its terms, its key, its limits and an example that can be typed."""

from __future__ import annotations

import json
import shlex

import pytest

from curate.pipeline.scrape.sources import SOURCES, overview
from tests.support.command import curate


def test_each_source_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_PEXELS_KEY", "a-secret-key")
    rows = overview.listed()
    assert [row["source"] for row in rows] == list(SOURCES)
    assert {row["terms"] for row in rows} == set(overview.TERMS)
    assert next(row for row in rows if row["source"] == "pexels")["key_is_set"] is True
    text = overview.text(rows)
    assert "a-secret-key" not in text + json.dumps(rows)
    for row in rows:
        assert row["what"]
        assert row["source"] in text
        assert row["key"] == "none" or (row["key_variable"] and row["key_from"])
        assert row["settings"] is None or row["limits"]


@pytest.mark.parametrize("row", [r for r in overview.listed() if r["terms"] != "refused"], ids=lambda r: r["source"])
def test_an_example_can_be_typed(row: dict[str, str]) -> None:
    from typer.main import get_command

    from curate.app import app

    words = shlex.split(row["example"].partition("   (")[0])
    words = words[words.index("curate") + 1 :]
    command = get_command(app).commands["scrape"]  # type: ignore[attr-defined]
    given = command.make_context("scrape", words[1:]).params
    assert words[0] == "scrape"
    assert given["source"] == row["source"]
    assert given["input_"] or given["query"] or given["site"]
    assert row["terms"] != "unknown" or given["allow_unknown_license"]


def test_the_command_prints_it_as_json() -> None:
    assert {row["source"] for row in json.loads(curate("sources", "--json").stdout)} == set(SOURCES)
