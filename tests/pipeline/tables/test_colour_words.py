"""Names of colours in what shops write."""

from __future__ import annotations

import pytest

from curate.pipeline.tables import colour_words


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("suit_RED-02", "red"),
        ("ｸﾞﾘｰﾝ", "green"),
        ("赤い水着", "red"),
        ("（黒）", "black"),
        ("ダークブルー", "blue"),
        ("navy/white, white", "navy white"),
        ("grün", "green"),
        ("redondo", None),
        ("赤ちゃん", None),
        ("白金", None),
        ("", None),
    ],
)
def test_colours(text: str, named: str | None) -> None:
    assert colour_words.colours(text) == named


@pytest.mark.parametrize("text", ["Linen Shirt - Red", "ﾘｎen shirt / black", "linen  shirt"])
def test_without_its_colours_a_title_is_shared(text: str) -> None:
    assert colour_words.without(text.replace("ﾘｎ", "lin")) == "linen shirt"
