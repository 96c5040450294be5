"""The 68 points of a face: eyes, mouth, roll, and the square that FFHQ cuts around them."""

from __future__ import annotations

import numpy as np

from curate.pipeline.imaging.geometry import Points, square

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)  # of the 68 points; left and right as seen in the picture
LEFT_MOUTH, RIGHT_MOUTH = 48, 54


def eyes(landmarks: Points) -> tuple[Points, Points]:
    """Centres of the left and the right eye as seen in the picture, [2] each, of 68 landmarks."""
    return landmarks[LEFT_EYE].mean(axis=0), landmarks[RIGHT_EYE].mean(axis=0)


def mouth(landmarks: Points) -> Points:
    """The middle between the corners of the mouth, [2], of 68 landmarks."""
    return (landmarks[LEFT_MOUTH] + landmarks[RIGHT_MOUTH]) / 2


def roll(landmarks: Points) -> float:
    """Degrees by which the line from the left to the right eye falls, -180..180."""
    left, right = eyes(landmarks)
    dx, dy = right - left
    return float(np.degrees(np.arctan2(dy, dx)))


def ffhq_quad(landmarks: Points) -> Points:
    """The oriented square that FFHQ cuts for a face with these 68 landmarks: corners nw, sw, se, ne, [4, 2].

    Karras et al., A Style-Based Generator Architecture for Generative Adversarial Networks (2019), appendix A of the
    first version. The x axis is the mean of the eye line and the normal of the line from the eyes to the mouth; half
    the side is the larger of twice the eye distance and 1.8 times the distance from eyes to mouth.
    """
    left, right = eyes(landmarks)
    middle = (left + right) / 2
    across, down = right - left, mouth(landmarks) - middle
    axis = across + np.array([down[1], -down[0]])
    half = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    return square(middle + 0.1 * down, axis, float(half))
