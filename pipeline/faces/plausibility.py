"""How much 68 landmarks look like an upright face: scores without a model, each against a threshold of its own.

A detector's false hit gets landmarks too, but they lie where no face has them. All distances are relative, so faces of
any size compare.
"""

from __future__ import annotations

import numpy as np

from curate.pipeline.faces.ffhq import eyes, ffhq_quad, mouth, roll
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box, Points

# The mean of dlib's landmarks on 147 official portraits in the public domain, made symmetrical. Origin between the
# eyes, x to the right and y down, in eye distances.
MEAN: Points = np.array(
    [
        (-1.15, 0.04), (-1.14, 0.34), (-1.12, 0.64), (-1.08, 0.94), (-0.97, 1.22), (-0.80, 1.47), (-0.57, 1.68),
        (-0.31, 1.84), (0.00, 1.89), (0.31, 1.84), (0.57, 1.68), (0.80, 1.47), (0.97, 1.22), (1.08, 0.94),
        (1.12, 0.64), (1.14, 0.34), (1.15, 0.04), (-0.93, -0.14), (-0.79, -0.28), (-0.59, -0.33), (-0.39, -0.31),
        (-0.19, -0.23), (0.19, -0.23), (0.39, -0.31), (0.59, -0.33), (0.79, -0.28), (0.93, -0.14), (0.00, -0.03),
        (0.00, 0.17), (0.00, 0.37), (0.00, 0.57), (-0.25, 0.68), (-0.13, 0.72), (0.00, 0.76), (0.13, 0.72),
        (0.25, 0.68), (-0.69, 0.01), (-0.57, -0.06), (-0.43, -0.06), (-0.30, 0.03), (-0.44, 0.05), (-0.57, 0.05),
        (0.30, 0.03), (0.43, -0.06), (0.57, -0.06), (0.69, 0.01), (0.57, 0.05), (0.44, 0.05), (-0.52, 1.01),
        (-0.33, 0.97), (-0.14, 0.95), (0.00, 0.98), (0.14, 0.95), (0.33, 0.97), (0.52, 1.01), (0.34, 1.19),
        (0.15, 1.27), (0.00, 1.29), (-0.15, 1.27), (-0.34, 1.19), (-0.45, 1.02), (-0.14, 1.03), (0.00, 1.04),
        (0.14, 1.03), (0.45, 1.02), (0.15, 1.14), (0.00, 1.16), (-0.15, 1.14),
    ]
)  # fmt: skip

# The point that each one becomes in a mirror.
MIRRORED = np.array(
    [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37,
        36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
    ]
)  # fmt: skip


def scores(points: Points, box: Box) -> dict[str, float]:
    """What tells 68 landmarks [68, 2] in `box` from those of a face, by column of crops.parquet."""
    left, right = eyes(points)
    across, middle = right - left, (left + right) / 2
    down = mouth(points) - middle
    distance = max(float(np.hypot(*across)), 1e-6)
    below = float(across[0] * down[1] - across[1] * down[0]) / distance  # the eye line, px
    quad = ffhq_quad(points)
    return {
        "roll": roll(points),
        "eye_px": distance,
        "eye_share": distance / box.side,
        "mouth_drop": below / distance,
        "offset": float(np.hypot(*(middle + down / 2 - box.centre))) / box.side,
        "asymmetry": asymmetry(points),
        "shape_error": shape_error(points),
        "quad_share": geometry.quad_side(quad) ** 2 / box.side**2,
        "roll_left": abs(_between(across, quad[3] - quad[0])),
    }


def asymmetry(points: Points) -> float:
    """RMS distance of the landmarks from their mirror image about the normal of the eye line, in eye distances."""
    left, right = (complex(*eye) for eye in eyes(points))
    face = (_complex(points) - (left + right) / 2) / _nonzero(right - left)
    mirrored = -face[MIRRORED].conj()
    return float(np.sqrt(np.mean(np.abs(face - mirrored) ** 2)))


def shape_error(points: Points) -> float:
    """RMS distance of the landmarks from the mean face after the similarity that fits them best, in eye distances."""
    face, mean = _complex(points), _complex(MEAN)
    face, mean = face - face.mean(), mean - mean.mean()
    fit = np.vdot(face, mean) / max(float(np.vdot(face, face).real), 1e-12)
    return float(np.sqrt(np.mean(np.abs(mean - fit * face) ** 2)))


def _between(a: Points, b: Points) -> float:
    """Degrees from the direction `a` to `b`, -180..180."""
    return float(np.degrees(np.angle(complex(*b) * complex(*a).conjugate())))


def _complex(points: Points) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _nonzero(value: complex) -> complex:
    return value if abs(value) > 1e-6 else 1e-6 + 0j
