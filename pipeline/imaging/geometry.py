"""Where a face sits in a photo and which part of the photo its crop shows: boxes, quads, affine maps. Pure numpy.

Two kinds of coordinates, both in pixels, x to the right and y down. *Index* coordinates put whole numbers on pixel
centres: landmarks, quads and affine maps use them. *Edge* coordinates put whole numbers on the lines between pixels,
half a pixel up and left of the former: boxes use them, so that a box scales with its image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]  # [n, 2], index coordinates
Affine = NDArray[np.float64]  # [2, 3]: column vectors (x, y, 1) -> (x, y)


class Box(NamedTuple):
    """An upright rectangle in edge coordinates."""

    x: float
    y: float
    width: float
    height: float

    @property
    def side(self) -> float:
        """Side of the square of the same area, px."""
        return float(np.sqrt(self.width * self.height))

    @property
    def centre(self) -> Points:
        """The middle, [2], in index coordinates."""
        return np.array([self.x + self.width / 2 - 0.5, self.y + self.height / 2 - 0.5])

    def scaled(self, factor: float) -> Box:
        """The same box in an image enlarged by `factor`."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor)

    def nudged(self, right: float, down: float, size: float) -> Box:
        """The box `size` times as large about its middle, and moved by `right` and `down` of its sides."""
        x, y = self.centre + 0.5 + np.array([right, down]) * self.side
        return Box(
            float(x - self.width * size / 2), float(y - self.height * size / 2), self.width * size, self.height * size
        )

    def mirrored(self, width: int) -> Box:
        """The same box in an image of `width` px, left and right exchanged."""
        return self._replace(x=width - self.x - self.width)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(width, 0.0) * max(height, 0.0)
    union = a.width * a.height + b.width * b.height - shared
    return shared / union if union > 0 else 0.0


def box_quad(box: Box, margin: float = 0.0, rotate: float = 0.0) -> Points:
    """A square about `box`, its side widened by `margin` sides on each side: corners nw, sw, se, ne, [4, 2].

    `rotate` turns the content of the crop counter-clockwise, in degrees, so the square itself turns clockwise.
    """
    angle = np.radians(rotate)
    axis = np.array([np.cos(angle), np.sin(angle)])
    return square(box.centre, axis, max(box.width, box.height) * (0.5 + margin))


def framed(quad: Points, zoom: float = 1.0, shift_y: float = 0.0, *, upright: bool = False) -> Points:
    """The square `zoom` times as large about a centre that lies `shift_y` sides of `quad` further down, [4, 2].

    Down is down in the crop; `upright` turns the square upright first.
    """
    centre, across = quad.mean(axis=0), quad[3] - quad[0]
    half = float(np.hypot(*across)) / 2
    axis = np.array([1.0, 0.0]) if upright else across / (2 * half)
    down = np.array([-axis[1], axis[0]])
    return square(centre + 2 * half * shift_y * down, axis, half * zoom)


def square(centre: Points, axis: Points, half: float) -> Points:
    length = np.hypot(*axis)
    x = (axis / length if length > 0 else np.array([1.0, 0.0])) * half
    y = np.array([-x[1], x[0]])
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def quad_side(quad: Points) -> float:
    """Length of the top edge of a quad, px."""
    return float(np.hypot(*(quad[3] - quad[0])))


def quad_affine(quad: Points, size: int) -> Affine:
    """The map from raw px to px of a crop of `size` x `size` that shows `quad`, [2, 3], index coordinates.

    Pixel i of the crop samples the quad at (i + 0.5) / size of its edge, which is how FFHQ's images were sampled.
    """
    right, down = (quad[3] - quad[0]) / size, (quad[1] - quad[0]) / size
    start = quad[0] + (right + down) / 2
    return invert(np.column_stack([right, down, start]))


def invert(affine: ArrayLike) -> Affine:
    """The map that undoes `affine`, [2, 3]. Raises numpy.linalg.LinAlgError when it has none."""
    matrix = np.asarray(affine, dtype=np.float64).reshape(2, 3)
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def apply(affine: ArrayLike, points: ArrayLike) -> Points:
    """`points` [n, 2] sent through `affine` [2, 3]."""
    matrix = np.asarray(affine, dtype=np.float64).reshape(2, 3)
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def source_grid(affine: ArrayLike, size: int, samples: int) -> tuple[Points, Points]:
    """Raw x and y, [samples, samples] each, of an even grid over the crop of `size` that `affine` makes."""
    (a, b, c), (d, e, f) = invert(affine)
    at = (np.arange(samples) + 0.5) * (size / samples) - 0.5
    return a * at[None, :] + b * at[:, None] + c, d * at[None, :] + e * at[:, None] + f


def padding_share(affine: ArrayLike, size: int, width: int, height: int, samples: int = 64) -> float:
    """Share of the crop of `size` that lies outside a raw image of `width` x `height`, 0..1, on a grid of samples."""
    x, y = source_grid(affine, size, samples)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return float(1.0 - inside.mean())
