"""What refuses a pair: each threshold by its reason, and a measure that could not be taken by the reason why."""

from __future__ import annotations

from typing import Any

import pytest

from curate.pipeline.core.errors import UsageError
from curate.pipeline.pairs import refusals
from curate.pipeline.pairs.config import Pairs

GOOD: dict[str, Any] = {
    "article_faces": 0,
    "human_faces": 1,
    "article_shown": 0.3,
    "human_shown": 0.4,
    "border": 1.0,
    "aspect": 1.5,
    "agreement": 0.9,
    "others": 0.1,
    "worn_at": 1.5,
    "hair": 0.0,
}
STRICT = Pairs(min_border=0.5, aspect=(0.5, 2.0), min_agreement=0.3, max_others=0.7, worn_at=(0.0, 3.0), max_hair=0.85)
BACK: dict[str, Any] = {"human_faces": 0, "hair": 0.95}


def reason(section: Pairs, text: str = "", human_text: str = "", **measured: Any) -> str:
    return refusals.reason(section, text, human_text, GOOD | measured)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, "ok"),
        ({"border": 0.2}, "busy_article"),
        ({"aspect": 0.2}, "aspect"),
        ({"agreement": 0.1}, "colours_differ"),
        ({"others": 0.9}, "other_clothes"),
        ({"worn_at": 4.0}, "worn_at"),
        ({"article_shown": 0.0}, "blank_article"),
        ({"human_shown": 0.0}, "blank_human"),
        ({"agreement": None, "aspect": None}, "blank_article"),
        ({"human_faces": 0, "worn_at": None}, "no_face"),
        ({"worn_at": None}, "no_garment"),
        ({"others": None}, "no_garment"),
    ],
)
def test_each_measure_refuses_by_its_reason(measured: dict[str, Any], expected: str) -> None:
    assert reason(STRICT, **measured) == expected


def test_without_thresholds_only_what_is_blank_is_refused() -> None:
    wild = {
        "border": 0.0,
        "aspect": 50.0,
        "agreement": 0.0,
        "others": None,
        "worn_at": None,
        "human_faces": 0,
        "hair": 1.0,
    }
    assert reason(Pairs(), **wild) == "ok"
    assert reason(Pairs(), **wild | {"article_shown": 0.001}) == "blank_article"


def test_a_back_view_is_refused_unless_the_page_says_that_it_is_a_front_view() -> None:
    section = Pairs(max_hair=0.85, front=("正面", "front"))
    assert reason(section, **BACK) == "back_view"
    assert reason(section, human_text="着用 ＦＲＯＮＴ", **BACK) == "ok"
    assert reason(section, text="front of the shop", **BACK) == "back_view"
    assert reason(section, human_faces=0, hair=None) == "ok", "no head in the picture"


def test_words_are_compared_in_any_width_and_case() -> None:
    assert reason(Pairs(exclude=("ボトムのみ",)), text="ﾎﾞﾄﾑのみ") == "excluded"


@pytest.mark.parametrize("key", [{"need_face": True}, {"max_article_faces": 0}, {"worn_at": (0.0, 2.0)}])
def test_a_threshold_on_faces_that_nobody_looks_for_is_a_mistake(key: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(key))):
        refusals.check(Pairs(faces=False, **key))
    refusals.check(Pairs(faces=True, **key))
