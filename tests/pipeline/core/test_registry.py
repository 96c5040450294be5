"""Registries: names lead to things in other files, and typos to the nearest name."""

from __future__ import annotations

import sys
from collections import OrderedDict

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.core.registry import Registry

THINGS = Registry("thing", {"ordered": "collections:OrderedDict", "broken": "no.such.module:x", "colour": "colorsys:x"})


def test_a_name_leads_to_its_thing() -> None:
    assert THINGS.resolve("ordered") is OrderedDict
    assert list(THINGS) == ["ordered", "broken", "colour"]
    assert len(THINGS) == 3


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    sys.modules.pop("colorsys", None)
    assert THINGS["colour"] == "colorsys:x"
    assert "colorsys" not in sys.modules


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no thing 'odered'; did you mean 'ordered'") as told:
        THINGS.resolve("odered")
    assert told.value.hint == "things: ordered, broken, colour"


def test_a_name_unlike_any_gets_the_list_alone() -> None:
    with pytest.raises(UsageError) as told:
        THINGS["zzz"]
    assert "did you mean" not in told.value.message


def test_membership_is_a_question_not_an_error() -> None:
    assert "ordered" in THINGS
    assert "odered" not in THINGS


def test_a_module_that_is_not_there_is_our_bug() -> None:
    with pytest.raises(ModuleNotFoundError):
        THINGS.resolve("broken")


def test_changing_the_rows_later_changes_nothing() -> None:
    rows = {"a": "collections:OrderedDict"}
    table = Registry("thing", rows)
    rows["b"] = "x:y"
    assert list(table) == ["a"]
