"""Words compare alike however they are written."""

from __future__ import annotations

import pytest

from curate.pipeline.tables.folding import folded


@pytest.mark.parametrize(
    ("written", "rule"),
    [("ｷｯｽﾞ", "キッズ"), ("KIDS", "kids"), ("Kids'", "kids'"), ("ＣＣ　ＢＹ", "cc by"), ("ガ", "ｶﾞ"), ("a \n b", "A b")],
)
def test_one_word_in_two_writings(written: str, rule: str) -> None:
    assert folded(written) == folded(rule)


def test_other_words_stay_apart() -> None:
    assert folded("キッス") != folded("キッズ")
