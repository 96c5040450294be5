"""Errors: each kind has its exit code, and says what to do next."""

from __future__ import annotations

import pickle

import pytest

from curate.pipeline.core import errors
from curate.pipeline.core.errors import CurateError, nearest, one_line

CODES = {
    "CurateError": 2,
    "UsageError": 2,
    "TableError": 2,
    "DetectorLostError": 2,
    "AuthError": 3,
    "QuotaError": 4,
    "BlockedError": 5,
    "YieldError": 6,
    "InterruptionError": 130,
    "ModelError": 2,
}


def kinds() -> list[type[CurateError]]:
    return [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, CurateError)]


def test_the_exit_codes_are_those_of_the_manual() -> None:
    assert {kind.__name__: kind.code for kind in kinds()} == CODES
    assert (errors.EXIT_BUG, errors.EXIT_INTERRUPTED) == (1, 130)


@pytest.mark.parametrize("kind", kinds())
def test_an_error_crosses_a_process_border_whole(kind: type[CurateError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what and where", "what to do")))
    assert type(error) is kind
    assert (error.message, error.hint) == ("what and where", "what to do")


def test_text_has_the_hint_when_there_is_one() -> None:
    assert str(CurateError("what", "do this")) == "what\n  do this"
    assert str(CurateError("what")) == "what"


def test_nearest() -> None:
    known = ["haar", "anime"]
    assert nearest("har", known) == "; did you mean 'haar'?"
    assert nearest("zzz", known) == ""
    assert nearest("x", []) == ""


def test_what_a_library_says_stands_on_one_short_line() -> None:
    assert one_line(ValueError("no footer\n  in\tthis \n")) == "no footer in this"
    assert len(one_line(ValueError("x" * 4000))) < 200
