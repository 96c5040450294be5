"""Which faces are accepted, by what was measured of them: thresholds, and the rule on several faces in one photo.

Works on columns, those of one photo's faces or those of a whole table alike; pixels are not needed. So other thresholds
judge a set of crops again in the time that it takes to read its table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces.config import CropRules
from curate.pipeline.tables.schema import OK

Column: TypeAlias = NDArray[np.float64]  # NaN where it was not measured, which passes any threshold
Reasons: TypeAlias = NDArray[np.str_]

_INF = float("inf")
_KEYS = {"face_px": "min_face", "is_grey": "reject_grey"}  # of which the names don't follow from the column's


class Criterion(NamedTuple):
    """A column, the range in which it passes, and the reason when it does not."""

    reason: str
    column: str
    low: float = -_INF
    high: float = _INF

    @property
    def key(self) -> str:
        """The key of CropRules that says the range."""
        names = (_KEYS.get(self.column), self.column, f"min_{self.column}", f"max_{self.column}")
        return next(name for name in names if name in CropRules.__struct_fields__)


def face_criteria(rules: CropRules) -> Iterator[Criterion]:
    """What a detection must pass to count as a face of the photo, in order."""
    yield Criterion("low_score", "score", low=-_INF if rules.min_score is None else rules.min_score)
    yield Criterion("disagreement", "agreement", low=rules.min_agreement)
    yield Criterion("implausible", "unrest", high=rules.max_unrest)
    yield Criterion("implausible", "second_score", low=rules.min_second_score)
    yield Criterion("implausible", "roll", -rules.max_roll, rules.max_roll)
    yield Criterion("implausible", "eye_share", *rules.eye_share)
    yield Criterion("implausible", "mouth_drop", *rules.mouth_drop)
    yield Criterion("implausible", "offset", high=rules.max_offset)
    yield Criterion("implausible", "asymmetry", high=rules.max_asymmetry)
    yield Criterion("implausible", "shape_error", high=rules.max_shape_error)
    yield Criterion("implausible", "quad_share", *rules.quad_share)
    yield Criterion("implausible", "roll_left", high=rules.max_roll_left)
    yield Criterion("not_skin", "skin", low=rules.min_skin)
    yield Criterion("not_skin", "skin_rim", low=rules.min_skin_rim)
    yield Criterion("too_small", "face_px", low=rules.min_face)  # last: it is said of faces alone


def crop_criteria(rules: CropRules) -> Iterator[Criterion]:
    """What the crop of a face must pass, in order."""
    yield Criterion("eyes_too_close", "eye_px", low=rules.min_eye_px)
    yield Criterion("padding", "padding", high=rules.max_padding)
    yield Criterion("upscaled", "upscale", high=rules.max_upscale)
    yield Criterion("blurry", "sharpness", low=rules.min_sharpness)
    yield Criterion("too_dark", "brightness", low=rules.brightness[0])
    yield Criterion("too_bright", "brightness", high=rules.brightness[1])
    yield Criterion("clipped", "clipped", high=rules.max_clipped)
    yield Criterion("grey", "is_grey", high=0.5 if rules.reject_grey else _INF)
    yield Criterion("grey", "colourfulness", low=rules.min_colourfulness)
    yield Criterion("tinted", "chroma_rest", low=rules.min_chroma_rest)
    yield Criterion("drawing", "outlines", high=rules.max_outlines)


COLUMNS = tuple(dict.fromkeys(c.column for make in (face_criteria, crop_criteria) for c in make(CropRules())))


def reasons(
    measures: Mapping[str, Column],
    photo: NDArray[np.generic],
    index: Column,
    rules: CropRules,
    placed: NDArray[np.bool_] | None = None,
) -> Reasons:
    """Why each face is refused, or "ok": [n].

    `measures` holds COLUMNS as they are in the table (float32 precision), `photo` tells which faces share one and
    `index` is the face's in it. The faces rule chooses among those that count as faces, before their crops are judged;
    faces that a person has `placed`, [n], are chosen, and no others of their photos.
    """
    reasons: Reasons = np.full(len(photo), OK, dtype="<U16")
    _refuse(reasons, measures, face_criteria(rules))
    if rules.faces != "all":
        chosen = np.zeros(len(photo), np.bool_) if placed is None else placed & (reasons == OK)
        beside = np.isin(photo, photo[chosen]) & ~chosen
        reasons[beside & (reasons == OK)] = "not_largest"
        _choose(reasons, measures["face_px"], photo, index, rules.faces, chosen)
    _refuse(reasons, measures, crop_criteria(rules))
    return reasons


def _refuse(reasons: Reasons, measures: Mapping[str, Column], checks: Iterator[Criterion]) -> None:
    for check in checks:
        value = measures[check.column]
        reasons[(reasons == OK) & ((value < check.low) | (value > check.high))] = check.reason


def _choose(
    reasons: Reasons, side: Column, photo: NDArray[np.generic], index: Column, faces: str, chosen: NDArray[np.bool_]
) -> None:
    """Refuses all but the largest standing face of each photo, or, with `single`, all of a photo with several.

    Those that are `chosen` already stay.
    """
    standing = np.flatnonzero((reasons == OK) & ~chosen)
    order = standing[np.lexsort((index[standing], -side[standing], photo[standing]))]
    first = np.ones(len(order), np.bool_)
    first[1:] = photo[order][1:] != photo[order][:-1]
    if faces == "largest":
        reasons[order[~first]] = "not_largest"
    else:
        group = np.cumsum(first) - 1
        reasons[order[np.bincount(group, minlength=1)[group] > 1]] = "many_faces"
