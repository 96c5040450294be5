"""Words compare alike however they are written."""

from __future__ import annotations

import pytest

from curate.pipeline.tables.folding import folded, matches, names_one


@pytest.mark.parametrize(
    ("written", "rule"),
    [("ｷｯｽﾞ", "キッズ"), ("KIDS", "kids"), ("Kids'", "kids'"), ("ＣＣ　ＢＹ", "cc by"), ("ガ", "ｶﾞ"), ("a \n b", "A b")],
)
def test_one_word_in_two_writings(written: str, rule: str) -> None:
    assert folded(written) == folded(rule)


def test_other_words_stay_apart() -> None:
    assert folded("キッス") != folded("キッズ")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("着用|モデル", "ﾓﾃﾞﾙ 2", True),
        ("ﾍﾞｽﾄ", "ベスト", True),
        (r"_m\d", "/A_M3.JPG", True),
        (r"\D", "12", False),
        ("（前）", "(前)", True),
        ("[＊x]y", "＊Y", True),
        ("flat", "plate", False),
    ],
)
def test_a_pattern_is_found_in_any_width_and_case(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) == found


def test_words_are_found_within_words() -> None:
    assert names_one("Girl's ＫＩＤＳ suit", ["kids"]) and not names_one("suit", ["kids", ""])
