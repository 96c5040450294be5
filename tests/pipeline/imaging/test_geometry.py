"""Boxes, quads and affine maps, by hand and by law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline.faces.ffhq import ffhq_quad, roll
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box


def landmarks(left: tuple[float, float], right: tuple[float, float], corner: float, mouth_y: float) -> np.ndarray:
    """68 points whose eyes stand at `left` and `right` and whose mouth reaches `corner` to each side of x = 0."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = left, right
    points[48], points[54] = (-corner, mouth_y), (corner, mouth_y)
    return points


def test_the_ffhq_quad_of_an_upright_face() -> None:
    # Eyes 100 apart at y = 0, mouth at y = 100: axis (100 + 100, 0), half = max(2 * 100, 1.8 * 100), centre (0, 10).
    quad = ffhq_quad(landmarks((-50, 0), (50, 0), 30, 100))
    assert quad.tolist() == [[-200, -190], [-200, 210], [200, 210], [200, -190]]


def test_a_long_face_is_framed_by_its_eyes_and_mouth() -> None:
    # |eyes to mouth| = 200, so half = 1.8 * 200 = 360 beats 2 * 100; centre (0, 20).
    quad = ffhq_quad(landmarks((-50, 0), (50, 0), 30, 200))
    assert quad.tolist() == [[-360, -340], [-360, 380], [360, 380], [360, -340]]


def test_a_quad_turns_with_its_face() -> None:
    upright = landmarks((-50, 3), (50, -3), 30, 100)
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = ffhq_quad(upright @ turn.T + (7, 9))
    np.testing.assert_allclose(turned, ffhq_quad(upright) @ turn.T + (7, 9), atol=1e-9)


def test_roll_is_positive_when_the_eye_line_falls_to_the_right() -> None:
    assert roll(landmarks((0, 0), (10, 10), 3, 20)) == pytest.approx(45)


def test_pixel_i_of_a_crop_samples_the_quad_half_a_pixel_in() -> None:
    # A quad of side 8 from index (10, 20): pixel 0 of 4 samples at 0.5 / 4 of the side, index 11.
    quad = np.array([[10.0, 20], [10, 28], [18, 28], [18, 20]])
    inverse = geometry.invert(geometry.quad_affine(quad, 4))
    samples = geometry.apply(inverse, [[0, 0], [3, 3]])
    np.testing.assert_allclose(samples, [[11, 21], [17, 27]])


def test_a_box_at_full_size_is_the_identity() -> None:
    affine = geometry.quad_affine(geometry.box_quad(Box(0, 0, 64, 64)), 64)
    np.testing.assert_allclose(affine, [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_margin_widens_a_box_and_rotation_turns_its_content_counter_clockwise() -> None:
    wide = geometry.box_quad(Box(10, 10, 20, 20), margin=0.25)
    assert geometry.quad_side(wide) == pytest.approx(30)
    affine = geometry.quad_affine(geometry.box_quad(Box(0, 0, 100, 100), rotate=90), 100)
    # What was at the top of the photo is on the left of the crop.
    np.testing.assert_allclose(geometry.apply(affine, [[49.5, 0]]), [[0, 49.5]], atol=1e-9)


def test_overlap() -> None:
    assert geometry.overlap(Box(0, 0, 2, 2), Box(1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert geometry.overlap(Box(0, 0, 2, 2), Box(5, 5, 2, 2)) == 0


def test_padding_is_the_share_outside_the_photo() -> None:
    affine = geometry.quad_affine(geometry.box_quad(Box(-50, 0, 100, 100)), 64)
    assert geometry.padding_share(affine, 64, 400, 400) == pytest.approx(0.5)
    assert geometry.padding_share(affine, 64, 20, 400) == pytest.approx(0.8, abs=0.02)
    inside = geometry.quad_affine(geometry.box_quad(Box(0, 0, 100, 100)), 64)
    assert geometry.padding_share(inside, 64, 100, 100) == 0


near = st.floats(-500, 500)


@given(near, near, st.floats(5, 800), st.floats(-180, 180), st.sampled_from([32, 256, 1024]))
def test_an_affine_and_its_inverse_undo_each_other(x: float, y: float, side: float, turn: float, size: int) -> None:
    affine = geometry.quad_affine(geometry.box_quad(Box(x, y, side, side), 0.25, turn), size)
    points = np.array([[0.0, 0], [size, 0], [3, size / 2]])
    back = geometry.apply(geometry.invert(affine), points)
    np.testing.assert_allclose(geometry.apply(affine, back), points, atol=1e-6)


@given(near, near, st.floats(5, 800), st.floats(-180, 180))
def test_the_corners_of_a_quad_are_the_corners_of_its_crop(x: float, y: float, side: float, turn: float) -> None:
    quad = geometry.box_quad(Box(x, y, side, side), 0.1, turn)
    corners = geometry.apply(geometry.quad_affine(quad, 128), quad)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [-0.5, 127.5], [127.5, 127.5], [127.5, -0.5]], atol=1e-6)
