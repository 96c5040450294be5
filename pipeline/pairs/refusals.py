"""What refuses a pair: its evidence and the words of its page, against the thresholds of the section pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curate.pipeline.core.errors import UsageError
from curate.pipeline.pairs.config import Pairs
from curate.pipeline.tables.folding import names_one
from curate.pipeline.tables.manifest import OK

_ANYWHERE = Pairs().worn_at


def check(section: Pairs) -> None:
    """Raises UsageError for a threshold on faces where none are looked for: it would refuse nothing."""
    set_ = {
        "need_face": section.need_face,
        "max_article_faces": section.max_article_faces is not None,
        "worn_at": section.worn_at != _ANYWHERE,
    }
    if not section.faces and (names := [name for name, given in set_.items() if given]):
        raise UsageError(
            f"pairs.{names[0]}: no faces are looked for, as pairs.faces is false",
            "set pairs.faces: true, or take it out",
        )


def reason(section: Pairs, text: str, human_text: str, measured: Mapping[str, Any]) -> str:
    """The first reason to refuse a pair, else ok.

    `text` is what the page says of the product and of both pictures, `human_text` of the person's alone. A measure that
    could not be taken refuses by the reason why, where a threshold asks for it; only a head that is not in the picture
    is no back view.
    """
    return next((why for why, refuses in _checks(section, text, human_text, measured) if refuses), OK)


def _checks(section: Pairs, text: str, human_text: str, measured: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    faces, persons, hair = measured["article_faces"], measured["human_faces"], measured["hair"]

    def outside(column: str, low: float, high: float) -> bool:
        value = measured[column]
        return value is not None and not low <= value <= high

    counts_from_chin = section.worn_at != _ANYWHERE
    yield "excluded", names_one(text, section.exclude)
    yield "blank_article", measured["article_shown"] < section.min_shown or measured["agreement"] is None
    yield "blank_human", measured["human_shown"] < section.min_shown
    yield "article_person", section.max_article_faces is not None and faces > section.max_article_faces
    yield "no_face", persons == 0 and (section.need_face or counts_from_chin)
    yield "back_view", hair is not None and hair > section.max_hair and not names_one(human_text, section.front)
    yield "busy_article", outside("border", section.min_border, 1.0)
    yield "aspect", outside("aspect", *section.aspect)
    yield "colours_differ", outside("agreement", section.min_agreement, 1.0)
    yield "no_garment", counts_from_chin and measured["worn_at"] is None
    yield "no_garment", section.max_others < 1.0 and measured["others"] is None
    yield "other_clothes", outside("others", 0.0, section.max_others)
    yield "worn_at", outside("worn_at", *section.worn_at)
