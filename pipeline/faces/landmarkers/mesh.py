"""The 68 landmarks of a human face from MediaPipe's face mesh of 468 (Kartynnik et al. 2019), which is free to use.

The net says with every answer whether there is a face: its logit was above 5 for faces and below 1 for the false
detections that were tried. `second_score` is the least that it says, less 3, so that 0 parts the two. Where it is sure
and the mesh fills the square it was asked about, one look is all. Else it looks again, at a square that is turned by
the eyes it has found and framed by the mesh; on a face it finds the same points again, and `instability` is how far
they part.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import tflite
from curate.pipeline.faces.ffhq import eyes
from curate.pipeline.faces.landmarkers import Landmarker, Landmarks
from curate.pipeline.imaging import geometry, warp
from curate.pipeline.imaging.geometry import Box, Points

_SIDE = 192  # px: what the net looks at
_AROUND = 0.25  # what it sees beside the face, in sides
_SURE = 5.0  # logit from which the net is sure of a face
_HALF_WAY = 3.0  # logit between those of faces and those of false detections
_FITS = 0.15  # sides: corners that lie so near to those that were asked about need no second look
_LOOKS = 3  # at most
_OFFSET = 0.25  # px from what the net says to index coordinates: so far do a patch and its mirror image part, halved

# For each of the 68 the vertex of the mesh in the same place: jaw, brows, nose, eyes, outer lips, inner lips, from left
# to right as seen in the picture.
VERTICES = np.array(
    [
        127, 227, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 447, 356,
        70, 63, 105, 65, 55, 285, 295, 334, 293, 300,
        168, 197, 5, 4, 75, 97, 2, 326, 305,
        7, 160, 158, 133, 153, 144, 362, 385, 387, 249, 373, 380,
        61, 80, 72, 11, 302, 310, 291, 405, 314, 17, 84, 181,
        78, 38, 12, 268, 308, 317, 14, 87,
    ]
)  # fmt: skip


class _Look(NamedTuple):
    mesh: Points  # [468, 2], raw px
    score: float  # the logit of a face

    @property
    def points(self) -> Points:
        return self.mesh[VERTICES]


def load() -> Landmarker:
    """The mesh's points: (RGB uint8 [height, width, 3], box, angle) -> Landmarks. Raises ModelError without a file."""
    network = tflite.load("mesh")
    return lambda image, box, angle: _find(network, image, box, angle)


def _find(network: tflite.Network, image: NDArray[np.uint8], box: Box, angle: float) -> Landmarks:
    quad = geometry.box_quad(box, _AROUND, angle)
    look, instability = _look(network, image, quad), None
    score = look.score
    for _ in range(_LOOKS - 1):
        framed = _framed(look)
        if look.score >= _SURE and _alike(quad, framed):
            break
        last, quad, look = look, framed, _look(network, image, framed)
        score = min(score, look.score)
        left, right = eyes(look.points)
        moved = float(np.sqrt(np.mean(np.sum((look.points - last.points) ** 2, axis=1))))
        instability = moved / max(float(np.hypot(*(right - left))), 1e-6)
    return Landmarks(look.points, instability, score - _HALF_WAY)


def _alike(asked: Points, framed: Points) -> bool:
    """Whether two squares are nearly the same: the corners, in sides."""
    apart = np.hypot(*(asked - framed).T).max()
    return bool(apart <= _FITS * geometry.quad_side(framed))


def _framed(look: _Look) -> Points:
    """The square about the mesh, upright where the eyes are level, [4, 2]."""
    left, right = eyes(look.points)
    axis = right - left
    axis = axis / max(float(np.hypot(*axis)), 1e-6)
    turn = np.stack([axis, [-axis[1], axis[0]]], axis=1)  # picture <- face
    inside = look.mesh @ turn
    low, high = inside.min(axis=0), inside.max(axis=0)
    return geometry.square(turn @ ((low + high) / 2), axis, float((high - low).max()) * (0.5 + _AROUND))


def _look(network: tflite.Network, image: NDArray[np.uint8], quad: Points) -> _Look:
    affine = geometry.quad_affine(quad, _SIDE)
    patch = warp.resample(image, affine, _SIDE)
    blob = patch.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    outputs = sorted(network(blob), key=np.size)  # the logit, then the points
    mesh = outputs[1].reshape(-1, 3)[:, :2].astype(np.float64) + _OFFSET
    return _Look(geometry.apply(geometry.invert(affine), mesh), float(outputs[0].ravel()[0]))
