"""How much hair a person has, by the person's mask, the landmarks and the colours of the hair above the eyes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces.ffhq import eyes, ffhq_quad
from curate.pipeline.faces.person_mask import SIDE, PersonMask
from curate.pipeline.imaging import geometry, warp
from curate.pipeline.imaging.geometry import Points

Where = NDArray[np.bool_]  # [SIDE, SIDE]

_ZOOM, _SHIFT = 1.5, 0.12  # what is looked at: so much more than FFHQ's square, and further down
_SHOULDERS = 1.35  # below the eyes, in distances of eyes and chin: what lies lower is not looked at
_FOREHEAD = 0.38  # how far the face reaches above the brows, in the same
_BEARD = 0.25  # how far beards reach beyond the jaw, as a share of the way from the eyes
_BROWS, _JAW, _INNER_JAW, _NOSE = (17, 19, 21, 22, 24, 26), slice(0, 27), slice(1, 16), slice(27, 31)  # of the 68
_BEARDED = slice(2, 15)

_CELLS = np.array([10.0, 8.0, 8.0], np.float32)  # L*a*b* of the cells that colours are counted in
_SHAPE = (16, 48, 48)
_SKIN = 15.0  # L*a*b*: distance from the skin's median from which what lies above the eyes is hair
_LEAST = 0.002  # share of hair's px in a cell from which its colour is hair's
_FEW = 30  # px above the eyes below which there is no hair
_ROOTED = 0.1  # share of a patch above the eyes from which it is hair: a dark jacket hangs from nothing


def measure(image: NDArray[np.uint8], landmarks: Points, find: PersonMask) -> float:
    """The share of the person's px above the shoulders that are hair, 0..1, whatever the crop shows.

    `landmarks`, [68, 2], are those of a face in `image`, RGB [height, width, 3].
    """
    affine = geometry.quad_affine(geometry.framed(ffhq_quad(landmarks), _ZOOM, _SHIFT), SIDE)
    view = warp.cut(image, affine, SIDE)
    points = geometry.apply(affine, landmarks)
    middle = np.mean(eyes(points), axis=0)
    down = points[8] - middle
    rows, columns = np.mgrid[:SIDE, :SIDE]
    depth = ((columns - middle[0]) * down[0] + (rows - middle[1]) * down[1]) / max(float(down @ down), 1.0)
    person = (find(view) > 0.5) & (depth < _SHOULDERS)
    found = _hair(view, points, person, depth < 0)
    return float(found.sum() / max(int(person.sum()), 1))


def _hair(view: NDArray[np.uint8], points: Points, person: Where, above: Where) -> Where:
    """Where the `person` has hair: px of colours that are more frequent above the eyes than in the face."""
    outside = person & ~_face(points)
    inner = _filled(np.concatenate([points[_INNER_JAW], points[_NOSE]]))
    lab = cv2.cvtColor(view.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    roots = outside & above
    nothing: Where = np.zeros_like(person)
    if roots.sum() < _FEW or not inner.any():
        return nothing
    apart = roots & (np.linalg.norm(lab - np.median(lab[inner], axis=0), axis=2) > _SKIN)
    cells = np.rint(lab / _CELLS).astype(int) + np.array([0, _SHAPE[1] // 2, _SHAPE[2] // 2])
    cells = np.ravel_multi_index(tuple(np.moveaxis(cells, 2, 0)), _SHAPE, mode="clip")
    hair, skin = (_counted(cells[where]) for where in (apart if apart.sum() > _FEW else roots, inner))
    alike = outside & (hair[cells] > _LEAST) & (hair[cells] > skin[cells])
    count, patches = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    whole, rooted = (np.bincount(patches[where], minlength=count) for where in (alike, alike & above))
    kept = (rooted > _ROOTED * whole) | (rooted > _FEW)
    kept[0] = False
    return np.asarray(kept[patches], np.bool_)


def _face(points: Points) -> Where:
    """The face up to the hairline, and where a beard is."""
    middle = np.mean(eyes(points), axis=0)
    up = middle - points[8]
    forehead = points[list(_BROWS)] + _FOREHEAD * up
    ways = points[_BEARDED] - middle
    lower = np.clip(ways @ -up / max(float(up @ up), 1.0), 0, 1)
    beard = points[_BEARDED] + _BEARD * ways * lower[:, None]
    return _filled(np.concatenate([points[_JAW], forehead])) | _filled(beard)


def _filled(points: Points) -> Where:
    """The convex hull of `points`."""
    mask: NDArray[np.uint8] = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask > 0


def _counted(cells: NDArray[np.int64]) -> NDArray[np.float32]:
    """The share of px in each cell of colours, smoothed over its neighbours: [cells]."""
    shares = np.bincount(cells, minlength=int(np.prod(_SHAPE))).reshape(_SHAPE).astype(np.float32) / max(len(cells), 1)
    for axis in range(3):
        shares = (np.roll(shares, 1, axis) + 2 * shares + np.roll(shares, -1, axis)) / 4
    return np.asarray(shares, np.float32).ravel()
