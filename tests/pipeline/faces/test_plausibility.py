"""Scores of landmarks: what they are of the mean face, and that they notice what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from curate.pipeline.faces import plausibility
from curate.pipeline.faces.ffhq import eyes, ffhq_quad, mouth
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box

BOX = Box(10, 20, 100, 100)


def face(scale: float = 40.0, turn: float = 0.0) -> geometry.Points:
    """The mean face about the middle of BOX, `scale` px between the eyes, leaning `turn` degrees to the right."""
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    points = plausibility.MEAN @ matrix.T
    middle = (points[36:48].mean(axis=0) + mouth(points)) / 2
    return points - middle + BOX.centre


def test_the_mean_face_is_symmetrical_and_its_mirror_swaps_sides() -> None:
    np.testing.assert_array_equal(plausibility.MIRRORED[plausibility.MIRRORED], np.arange(68))
    np.testing.assert_allclose(plausibility.MEAN[plausibility.MIRRORED] * (-1, 1), plausibility.MEAN, atol=0.015)
    left, right = eyes(plausibility.MEAN)
    np.testing.assert_allclose([left, right], [[-0.5, 0], [0.5, 0]], atol=0.02)


@pytest.mark.parametrize("turn", [0.0, 25.0, -60.0])
@pytest.mark.parametrize("scale", [20.0, 40.0])
def test_the_mean_face_scores_well_at_any_size_and_turn(scale: float, turn: float) -> None:
    found = plausibility.scores(face(scale, turn), BOX)
    assert found["roll"] == pytest.approx(turn, abs=0.5)
    assert found["eye_px"] == pytest.approx(scale, rel=0.01)
    assert found["eye_share"] == pytest.approx(scale / 100, rel=0.01)
    assert found["mouth_drop"] == pytest.approx(1.02, abs=0.02)
    assert found["offset"] < 0.01
    assert found["asymmetry"] < 0.02 and found["shape_error"] < 1e-9
    assert found["roll_left"] < 1
    side = geometry.quad_side(ffhq_quad(face(scale, turn)))
    assert found["quad_share"] == pytest.approx((side / 100) ** 2)


def test_a_face_pulled_aside_is_noticed() -> None:
    skewed = face()
    skewed[:, 0] += 0.3 * (skewed[:, 1] - skewed[:, 1].mean())
    good, bad = plausibility.scores(face(), BOX), plausibility.scores(skewed, BOX)
    for score in ("asymmetry", "shape_error", "roll_left"):
        assert bad[score] > good[score] + 0.05


def test_a_mouth_above_the_eyes_is_noticed() -> None:
    flipped = face() * (1, -1)
    assert plausibility.scores(flipped, BOX)["mouth_drop"] < -0.9


def test_points_that_fall_together_break_nothing() -> None:
    assert all(np.isfinite(value) for value in plausibility.scores(np.full((68, 2), 7.0), BOX).values())
