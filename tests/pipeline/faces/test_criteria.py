"""Verdicts from measures alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curate.pipeline.faces import criteria
from curate.pipeline.faces.config import CropRules
from curate.pipeline.tables import manifest


def verdicts(measured: list[dict[str, float]], photo: list[int] | None = None, **rules: Any) -> list[str]:
    columns = {name: np.array([face.get(name, np.nan) for face in measured], float) for name in criteria.COLUMNS}
    index = np.arange(len(measured), dtype=float)
    photos = np.array(photo if photo is not None else [0] * len(measured))
    return criteria.reasons(columns, photos, index, CropRules(**rules)).tolist()


def test_what_is_no_face_is_not_called_a_small_one() -> None:
    assert verdicts([{"face_px": 20, "unrest": 0.2}]) == ["implausible"]


def test_what_was_not_measured_passes() -> None:
    assert verdicts([{}]) == ["ok"]


@pytest.mark.parametrize(
    ("measured", "rules", "reason"),
    [
        ({"face_px": 39}, {}, "too_small"),
        ({"score": 0.4}, {"min_score": 0.5}, "low_score"),
        ({"agreement": 0.2}, {}, "disagreement"),
        ({"unrest": 0.14}, {}, "implausible"),
        ({"unrest": 0.09, "second_score": -1.0}, {}, "implausible"),
        ({"roll": -50}, {}, "implausible"),
        ({"mouth_drop": -1}, {}, "implausible"),
        ({"eye_share": 0.7}, {}, "implausible"),
        ({"offset": 0.4}, {}, "implausible"),
        ({"asymmetry": 0.8}, {}, "implausible"),
        ({"shape_error": 0.4}, {}, "implausible"),
        ({"quad_share": 5}, {"quad_share": [1, 4]}, "implausible"),
        ({"roll_left": 9}, {"max_roll_left": 8}, "implausible"),
        ({"skin": 0.1}, {}, "not_skin"),
        ({"skin_rim": 0.05}, {}, "not_skin"),
        ({"eye_px": 20}, {"min_eye_px": 24}, "eyes_too_close"),
        ({"padding": 0.6}, {}, "padding"),
        ({"upscale": 4.1}, {}, "upscaled"),
        ({"clipped": 0.5}, {"max_clipped": 0.4}, "clipped"),
        ({"is_grey": 1}, {"reject_grey": True}, "grey"),
        ({"colourfulness": 5}, {"min_colourfulness": 10}, "grey"),
        ({"chroma_rest": 1}, {"min_chroma_rest": 2}, "tinted"),
        ({"outlines": 0.2}, {"max_outlines": 0.1}, "drawing"),
    ],
)
def test_each_threshold_has_its_reason(measured: dict[str, float], rules: dict[str, Any], reason: str) -> None:
    assert verdicts([measured], **rules) == [reason]
    assert reason in manifest.CROPS.reasons
    lenient = {"min_agreement": 0, "min_face": 1, "max_padding": 1, "max_upscale": 9, "max_unrest": 1, "max_roll": 90}
    lenient |= {"mouth_drop": [-2, 2], "eye_share": [0, 1], "max_offset": 1, "max_asymmetry": 1, "max_shape_error": 1}
    lenient |= {"min_skin": 0, "min_skin_rim": 0, "min_second_score": -1}
    assert verdicts([measured], **lenient) == ["ok"]


def test_every_column_and_reason_is_of_the_table() -> None:
    assert set(criteria.COLUMNS) <= set(manifest.CROPS.schema.names)
    for make in (criteria.face_criteria, criteria.crop_criteria):
        assert {check.reason for check in make(CropRules())} <= manifest.CROPS.reasons


def test_faces_are_chosen_among_the_plausible_ones_of_each_photo() -> None:
    faces = [
        {"face_px": 80.0},
        {"face_px": 200.0, "unrest": 1.0},  # larger, but no face
        {"face_px": 90.0, "padding": 0.9},  # the largest face, though its crop is refused
        {"face_px": 50.0},
        {"face_px": 60.0},
        {"face_px": 60.0},
    ]
    photo = [7, 7, 7, 3, 5, 5]
    assert verdicts(faces, photo) == ["not_largest", "implausible", "padding", "ok", "ok", "not_largest"]
    assert verdicts(faces, photo, faces="all") == ["ok", "implausible", "padding", "ok", "ok", "ok"]
    single = ["many_faces", "implausible", "many_faces", "ok", "many_faces", "many_faces"]
    assert verdicts(faces, photo, faces="single") == single


@pytest.mark.parametrize("faces", ["largest", "all", "single"])
def test_no_faces_no_verdicts(faces: str) -> None:
    assert verdicts([], faces=faces) == []
