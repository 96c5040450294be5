"""Anti-aliased shapes, strokes, soft light and textures on a float canvas.

Shapes are given in *units* (x right, y down) and a canvas holds the similarity that maps units to its pixels, so a
figure is described once and drawn at any place, size and roll. Colours are sRGB, 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
Colour: TypeAlias = tuple[float, float, float]
Paint: TypeAlias = Colour | Callable[[Array, Array], Array]  # one colour, or a colour for each unit position (x, y)

_SUBPIXEL_BITS = 4
_WARM_SHADE = (0.78, 1.06, 1.2)  # how much of a shade each of red, green and blue takes
WHITE: Colour = (1.0, 1.0, 1.0)
BLACK: Colour = (0.0, 0.0, 0.0)


def array(values: ArrayLike) -> Array:
    """`values` as float32."""
    return np.asarray(values, np.float32)


def colour(code: str) -> Colour:
    """'#rrggbb' as a Colour."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """The colour that lies `share` of the way from `a` to `b`; a share outside [0, 1] goes beyond them."""
    red, green, blue = (min(1.0, max(0.0, p + (q - p) * share)) for p, q in zip(a, b))
    return red, green, blue


def luma(a: Colour) -> float:
    """Brightness of `a`, 0..1 (Rec. 601)."""
    return 0.299 * a[0] + 0.587 * a[1] + 0.114 * a[2]


def similarity(unit: float, roll: float, x: float, y: float) -> NDArray[np.float64]:
    """2x3 matrix from units to pixels: `unit` px per unit, turned clockwise by `roll` degrees, origin at (x, y) px."""
    c, s = unit * math.cos(math.radians(roll)), unit * math.sin(math.radians(roll))
    return np.array([[c, -s, x], [s, c, y]])


def apply(matrix: NDArray[np.float64], points: ArrayLike) -> Array:
    """`points` [N, 2] mapped by the 2x3 `matrix`."""
    return (np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def mirror(half: ArrayLike) -> Array:
    """The closed outline whose right half, from top to bottom, is `half`; points on the axis are not doubled."""
    right = np.asarray(half, np.float32)
    left = right[::-1] * array([-1, 1])
    return np.concatenate([right, left[left[:, 0] != 0]])


def smooth(points: ArrayLike, *, closed: bool = True, steps: int = 6) -> Array:
    """A Catmull-Rom curve through `points` [N, 2], `steps` points for each span."""
    p = np.asarray(points, np.float32)
    if closed:
        before, start, end, after = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        start, end = p[:-1], p[1:]
        before, after = np.concatenate([p[:1], p[:-2]]), np.concatenate([p[2:], p[-1:]])
    t = (np.arange(steps, dtype=np.float32) / steps)[None, :, None]
    before, start, end, after = (q[:, None] for q in (before, start, end, after))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    flat: Array = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, p[-1:]])


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Array:
    """Outline of an ellipse, turned clockwise by `turn` degrees."""
    a = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    shape = np.stack([rx * np.cos(a), ry * np.sin(a)], 1)
    return apply(similarity(1.0, turn, x, y), shape)


def stroke(path: ArrayLike, width: float, ends: tuple[float, float] = (0.2, 0.2)) -> Array:
    """Outline of a brush stroke along the smoothed `path`; `ends` are its widths there, relative to the middle's."""
    line = smooth(path, closed=False)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    t = np.linspace(0, 1, len(line))
    half = 0.5 * width * np.interp(t, [0, 0.5, 1], [ends[0], 1, ends[1]]).astype(np.float32)[:, None]
    normal = along[:, ::-1] * array([-1, 1]) * half
    return np.concatenate([line + normal, (line - normal)[::-1]])


def ripple(rng: np.random.Generator, knots: int = 64) -> Callable[[Array], Array]:
    """A smooth random function of one variable with period 1 and values about -1..1."""
    values = rng.uniform(-1, 1, knots).astype(np.float32)
    table = smooth(np.stack([np.arange(knots, dtype=np.float32), values], 1), steps=4)[:, 1]

    def at(t: Array) -> Array:
        place = (t % 1.0) * len(table)
        low = place.astype(np.int32) % len(table)
        share = place - np.floor(place)
        result: Array = table[low] * (1 - share) + table[(low + 1) % len(table)] * share
        return result

    return at


class Canvas:
    """`pixels` float32 [H, W, 3] in 0..1 and the frame that shapes are drawn in."""

    def __init__(self, height: int, width: int, frame: NDArray[np.float64]) -> None:
        self.pixels: Array = np.ones((height, width, 3), np.float32)
        self.frame = frame

    @property
    def unit(self) -> float:
        """Pixels for each unit."""
        return math.hypot(self.frame[0, 0], self.frame[1, 0])

    def _window(self, points: Array, pad: float) -> tuple[slice, slice] | None:
        """The part of the canvas that holds the pixel `points` and `pad` px around them; None when all lie outside."""
        height, width = self.pixels.shape[:2]
        (x0, y0), (x1, y1) = points.min(0) - pad - 1, points.max(0) + pad + 2
        rows = slice(max(0, int(y0)), min(height, int(y1) + 1))
        columns = slice(max(0, int(x0)), min(width, int(x1) + 1))
        return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None

    def _coverage(self, points: Array, window: tuple[slice, slice], blur: float) -> Array:
        rows, columns = window
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        shifted = (points - array([columns.start, rows.start])) * 2**_SUBPIXEL_BITS
        cv2.fillPoly(mask, [np.rint(shifted).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        cover: Array = mask.astype(np.float32) / 255
        return cover if blur < 0.25 else np.asarray(cv2.GaussianBlur(cover, (0, 0), blur), np.float32)

    def positions(self, window: tuple[slice, slice]) -> tuple[Array, Array]:
        """Unit coordinates x, y of every pixel of `window`, each [h, w]."""
        rows, columns = window
        inverse = cv2.invertAffineTransform(self.frame).astype(np.float32)
        py = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        px = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :]
        x, y = (row[0] * px + row[1] * py + row[2] for row in inverse)
        return x, y

    def fill(
        self,
        shape: ArrayLike,
        paint: Paint,
        opacity: float = 1.0,
        soft: float = 0.003,
        clip: Array | None = None,
        multiply: bool = False,
    ) -> None:
        """Lays `paint` over the polygon `shape`, its edge softened by `soft` units and kept within the mask `clip`.

        With `multiply` the paint darkens what is there, as a shadow or a glaze does.
        """
        points = apply(self.frame, shape)
        blur = soft * self.unit
        window = self._window(points, 3 * blur)
        if window is None:
            return
        cover = self._coverage(points, window, blur) * array(opacity)
        if clip is not None:
            cover = cover * clip[window]
        below = self.pixels[window]
        above = paint(*self.positions(window)) if callable(paint) else array(paint)
        if multiply:
            above = below * above
        self.pixels[window] = below + (above - below) * cover[..., None]

    def line(
        self,
        path: ArrayLike,
        paint: Paint,
        width: float,
        ends: tuple[float, float] = (0.2, 0.2),
        opacity: float = 1.0,
        soft: float = 0.003,
        clip: Array | None = None,
    ) -> None:
        """A brush stroke along `path`, `width` units wide in its middle."""
        self.fill(stroke(path, width, ends), paint, opacity, soft, clip)

    def inked(self, shape: Array, paint: Paint, ink: Colour, width: float = 0.016) -> None:
        """`shape` in `paint` with an outline of `ink` around it, `width` units wide."""
        self.fill(stroke(np.concatenate([shape[::2], shape[:1]]), 2 * width, (1, 1)), ink, 1, 0.002)
        self.fill(shape, paint, 1, 0.002)

    def mask(self, shape: ArrayLike, soft: float = 0.003) -> Array:
        """Coverage of the polygon `shape` over the whole canvas, [H, W] in 0..1, for use as a clip."""
        full = np.zeros(self.pixels.shape[:2], np.float32)
        points = apply(self.frame, shape)
        if (window := self._window(points, 3 * soft * self.unit)) is not None:
            full[window] = self._coverage(points, window, soft * self.unit)
        return full

    def light(self, spots: Sequence[tuple[float, float, float, float, float]], clip: Array) -> None:
        """Multiplies what lies within `clip` by 1 + the sum of Gaussian `spots` (x, y, rx, ry, amount), in units.

        Shade is warmer than light: red loses less of it than green and blue, as in skin.
        """
        rows, columns = (np.flatnonzero(clip.any(axis)) for axis in (1, 0))
        if not len(rows):
            return
        window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        x, y = self.positions(window)
        gain = np.zeros(x.shape, np.float32)
        for cx, cy, rx, ry, amount in spots:
            gain += np.float32(amount) * np.exp(-0.5 * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2))
        clipped = (gain * clip[window])[..., None]
        self.pixels[window] *= 1 + np.maximum(clipped, 0) + np.minimum(clipped, 0) * array(_WARM_SHADE)

    def finish(self, rng: np.random.Generator, blur: float = 0.0, noise: float = 0.0) -> NDArray[np.uint8]:
        """The picture as a camera gives it, uint8 RGB [H, W, 3]: `blur` px of softness, `noise` of 255 of grain."""
        picture: Array = self.pixels
        if blur >= 0.25:
            picture = array(cv2.GaussianBlur(picture, (0, 0), blur))
        if noise > 0:
            grain = rng.standard_normal(picture.shape[:2], np.float32)[..., None]
            picture = picture + grain * array(noise / 255)
        return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)
