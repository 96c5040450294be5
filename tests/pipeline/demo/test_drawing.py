from __future__ import annotations

import numpy as np
import pytest

from curate.pipeline.demo.drawing import Canvas, apply, colour, ellipse, mirror, ripple, similarity, smooth, stroke

RED = (1.0, 0.0, 0.0)


def test_a_colour_code_gives_its_shares() -> None:
    assert colour("#ff8000") == pytest.approx((1.0, 128 / 255, 0.0))


def test_positive_roll_lowers_the_right_side() -> None:
    right = apply(similarity(10, 30, 100, 50), [(1, 0)])[0]
    assert right == pytest.approx([100 + 10 * np.cos(np.pi / 6), 50 + 10 * np.sin(np.pi / 6)], abs=1e-4)


def test_a_smooth_curve_passes_through_its_points() -> None:
    points = np.float32([(0, 0), (1, 0.4), (2, 0), (1, 2)])
    for closed in (True, False):
        curve = smooth(points, closed=closed)
        assert all(np.abs(curve - point).max(1).min() < 1e-6 for point in points)


def test_a_mirrored_outline_is_symmetric_and_doubles_no_point_on_the_axis() -> None:
    shape = mirror([(0, -1), (2, 0), (0, 1)])
    assert shape.tolist() == [[0, -1], [2, 0], [0, 1], [-2, 0]]


def test_a_stroke_is_as_wide_as_asked_in_its_middle() -> None:
    outline = stroke([(0, 0), (1, 0), (2, 0)], 0.4, (1, 0.5))
    middle = outline[np.abs(outline[:, 0] - 1) < 1e-6]
    assert np.ptp(middle[:, 1]) == pytest.approx(0.4, abs=1e-5)
    assert np.ptp(outline[np.abs(outline[:, 0] - 2) < 1e-6][:, 1]) == pytest.approx(0.2, abs=1e-5)


def test_a_fill_covers_the_area_of_its_shape_wherever_it_stands() -> None:
    for roll in (0.0, 33.0):
        canvas = Canvas(120, 140, similarity(20, roll, 70.3, 60.6))
        canvas.fill(ellipse(0, 0, 2, 1), RED)
        covered = (1 - canvas.pixels[..., 1]).sum()
        assert covered == pytest.approx(np.pi * 2 * 1 * 20**2, rel=0.06)  # the edge itself is drawn too: half a pixel


def test_a_fill_outside_the_canvas_changes_nothing() -> None:
    canvas = Canvas(20, 20, similarity(10, 0, 500, 500))
    canvas.fill(ellipse(0, 0, 1, 1), RED)
    assert (canvas.pixels == 1).all()


def test_a_clip_and_an_opacity_bound_a_fill() -> None:
    canvas = Canvas(40, 40, similarity(10, 0, 20, 20))
    left = canvas.mask([(-2, -2), (0, -2), (0, 2), (-2, 2)], soft=0)
    canvas.fill([(-1, -1), (1, -1), (1, 1), (-1, 1)], RED, opacity=0.5, soft=0, clip=left)
    assert canvas.pixels[20, 15] == pytest.approx([1, 0.5, 0.5], abs=1e-6)
    assert (canvas.pixels[:, 22:] == 1).all()


def test_light_brightens_and_shade_is_warm() -> None:
    canvas = Canvas(40, 40, similarity(10, 0, 20, 20))
    canvas.pixels[:] = 0.5
    canvas.light([(-1, 0, 0.3, 0.3, 0.2), (1, 0, 0.3, 0.3, -0.2)], np.ones((40, 40), np.float32))
    lit, shaded = canvas.pixels[20, 10], canvas.pixels[20, 30]
    assert lit == pytest.approx([0.6, 0.6, 0.6], abs=1e-3)
    assert 0.5 > shaded[0] > shaded[1] > shaded[2]


def test_a_ripple_is_periodic_smooth_and_bounded() -> None:
    wave = ripple(np.random.default_rng(1), 16)
    t = np.linspace(0, 1, 4000, dtype=np.float32)
    values = wave(t)
    assert wave(t + 1) == pytest.approx(values, abs=1e-3)
    assert np.abs(values).max() < 1.5
    assert np.abs(np.diff(values)).max() < 0.05
