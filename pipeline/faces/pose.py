"""Where a face looks, from its 68 landmarks alone: yaw and pitch in degrees, without a model file.

The mean face is given a depth, and the scaled orthographic camera (weak perspective) that maps it onto the landmarks
with the least squared error is found in closed form: with X [68, 3] the mean face and P [68, 2] the landmarks, both
about their means, the affine camera is A = (X^T X)^-1 X^T P, and the rotation is the nearest to A^T: U V^T of its
singular value decomposition U S V^T, its third row the cross product of the two. With x to the right, y down and z
towards the camera, the first column of that rotation is where the face's own x axis points, and roll is its angle in
the picture; (x, y, z) is the third, the face's forward axis, turned back by the roll:

    yaw = atan2(x, z)      > 0: the face is turned to the right of the picture
    pitch = asin(-y)       > 0: the chin is up

Both are relative to the mean of official portraits, in which most people look into the camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import plausibility

# Towards the camera, in eye distances, measured from the eyes. Estimated from the landmarks of 166 photographed faces
# with yaws of -26 to 31 degrees: alternately the cameras, as above, and the depth that explains best what they leave,
# symmetrical. The error is flat from 0.8 to 1 times that depth; this is 0.9.
_DEPTH = np.array(
    [
        -0.96, -0.93, -0.92, -0.89, -0.77, -0.59, -0.39, -0.19, -0.13, -0.19, -0.39, -0.59, -0.77, -0.89, -0.92, -0.93,
        -0.96, -0.19, -0.01, 0.12, 0.22, 0.31, 0.31, 0.22, 0.12, -0.01, -0.19, 0.33, 0.42, 0.53, 0.63, 0.28, 0.35, 0.39,
        0.35, 0.28, -0.06, 0.01, 0.03, 0.01, 0.02, -0.01, 0.01, 0.03, 0.01, -0.06, -0.01, 0.02, -0.19, 0.07, 0.21, 0.24,
        0.21, 0.07, -0.19, -0.03, 0.09, 0.11, 0.09, -0.03, -0.17, 0.19, 0.21, 0.19, -0.17, 0.11, 0.14, 0.11,
    ]
)  # fmt: skip

MEAN = np.column_stack([plausibility.MEAN, _DEPTH])  # [68, 3], eye distances
_CENTRED = MEAN - MEAN.mean(axis=0)
_SOLVE = np.linalg.solve(_CENTRED.T @ _CENTRED, _CENTRED.T)  # [3, 68]


def yaw_pitch(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Yaw and pitch, degrees, [n, 2], of faces with `landmarks` [n, 68, 2] in px, whatever their roll.

    NaN where a face has NaN for landmarks, or all of them in one place.
    """
    angles = np.full((len(landmarks), 2), np.nan)
    points = landmarks - landmarks.mean(axis=1, keepdims=True)
    known = np.isfinite(points).all(axis=(1, 2)) & (np.abs(points).max(axis=(1, 2), initial=0) > 0)
    cameras = np.einsum("ij,njk->nki", _SOLVE, points[known])  # [n, 2, 3]
    left, _, right = np.linalg.svd(cameras, full_matrices=False)
    axes = left @ right
    roll = np.arctan2(axes[:, 1, 0], axes[:, 0, 0])
    x = np.cos(roll) * axes[:, 0, 2] + np.sin(roll) * axes[:, 1, 2]
    y = np.cos(roll) * axes[:, 1, 2] - np.sin(roll) * axes[:, 0, 2]
    z = axes[:, 0, 0] * axes[:, 1, 1] - axes[:, 0, 1] * axes[:, 1, 0]
    angles[known] = np.degrees(np.column_stack([np.arctan2(x, z), np.arcsin(np.clip(-y, -1, 1))]))
    return angles
