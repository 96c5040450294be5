"""Drawn faces by their parts: the square that is cut around them, and the colours of hair, eyes and skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces.detectors import Parts
from curate.pipeline.imaging import geometry
from curate.pipeline.imaging.geometry import Box, Points

RGB = NDArray[np.uint8]  # [height, width, 3]
Lab = NDArray[np.float32]  # [n, 3], CIE L*a*b*

_SIDE = 2.5  # of the square without margin, in face units; with the default margin as much of a head as FFHQ shows
_DOWN = 0.15  # how far the middle of the square lies below the eye line, in the same

_LENGTH = 96  # px between the eye line and the chin when colours are taken
_CELL = 8.0  # L*a*b*: side of the cells that colours are counted in
_NEAR = 12.0  # L*a*b*: distance within which colours are one
_SKIN = 14.0  # L*a*b*: distance from the skin's colour below which a px is skin
_FEW = 12  # px below which there is no colour
_BLUSH = 20.0  # and below which one beside an eye is
_OPEN = 0.25  # share of the box of an eye below which its iris is not seen: it is closed
_ABOVE = 1.0  # what is taken for hair begins so far above the eyes, in distances of eyes and chin
_LASH, _WHITE = 18.0, 88.0  # L* of outlines and below; of the white of an eye and of lights in it, and above
_PALE = 12.0  # chroma below which a light px is the white of an eye


def quad(parts: Parts, margin: float = 0.25, rotate: float = 0.0) -> Points:
    """The oriented square around a drawn face with `parts`: corners nw, sw, se, ne, [4, 2].

    Its x axis is the line from the left to the right eye. Its unit is the mean of the distances between the eyes and
    from their middle to the chin: drawn faces are wide or long, and either alone would make one kind too small. Its
    side is 2.5 units, and `margin` of these more on each side; its middle lies 0.15 units below that of the eyes.
    `rotate` turns the content counter-clockwise about the middle of the square, in degrees.
    """
    left, right = parts.left_eye.centre, parts.right_eye.centre
    middle, across = (left + right) / 2, right - left
    unit = (float(np.hypot(*across)) + float(np.hypot(*(np.array(parts.chin) - middle)))) / 2
    axis = across / (np.hypot(*across) or 1.0)
    down = np.array([-axis[1], axis[0]])
    angle = np.radians(rotate)
    turned = axis * np.cos(angle) + down * np.sin(angle)
    return geometry.square(middle + _DOWN * unit * down, turned, _SIDE * unit * (0.5 + margin))


def colours(image: RGB, parts: Parts) -> dict[str, str]:
    """The colours of a drawn face of `image` as sRGB, "#rrggbb", by column of crops.parquet; those that can be seen.

    Of each the most frequent one, the mean of the px near it. Skin: between eyes and mouth. Hair: of what has not the
    skin's colour above the eyes. Eyes: of what is neither skin, lash, white nor light in the boxes of the eyes; none
    of closed ones.
    """
    length, boxes = _length(parts), (parts.left_eye, parts.right_eye)
    left, right = min(box.x for box in boxes), max(box.x + box.width for box in boxes)
    top, below = min(box.y for box in boxes), max(box.y + box.height for box in boxes)
    skin = _main(_pixels(image, Box(left, below, right - left, max(parts.mouth.y - below, 1.0)), length))
    if skin is None:
        return {}
    above = Box(left, top - _ABOVE * length, right - left, _ABOVE * length)
    hair = _main(_unlike(_pixels(image, above, length), skin))
    inner = [_inner(box) for box in boxes]
    eyes = _iris(np.concatenate([_pixels(image, box, length) for box in inner]), skin, hair)
    found = {"skin_colour": skin, "hair_colour": hair, "eye_colour": eyes}
    return {name: _hex(value) for name, value in found.items() if value is not None}


def _length(parts: Parts) -> float:
    """From the eye line to the chin, px."""
    middle = (parts.left_eye.centre + parts.right_eye.centre) / 2
    return max(float(np.hypot(*(np.array(parts.chin) - middle))), 1.0)


def _pixels(image: RGB, box: Box, length: float) -> NDArray[np.uint8]:
    """The px of `box`, as far as it lies in `image`, of a face brought to _LENGTH: RGB [n, 3]."""
    height, width = image.shape[:2]
    left, right = (int(np.clip(round(x), 0, width)) for x in (box.x, box.x + box.width))
    top, bottom = (int(np.clip(round(y), 0, height)) for y in (box.y, box.y + box.height))
    if right <= left or bottom <= top:
        return np.zeros((0, 3), np.uint8)
    part, scale = image[top:bottom, left:right], _LENGTH / length
    if scale < 1:
        shape = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
        part = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(part).reshape(-1, 3)


def _lab(pixels: NDArray[np.generic]) -> Lab:
    """`pixels`, sRGB 0..255 [n, 3], in L*a*b*."""
    if not len(pixels):
        return np.zeros((0, 3), np.float32)
    shares = np.asarray(pixels, np.float32)[None] / 255
    return np.asarray(cv2.cvtColor(shares, cv2.COLOR_RGB2LAB)[0], np.float32)


def _main(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The most frequent colour of `pixels`, RGB 0..255 [3]; None of too few."""
    if len(pixels) < _FEW:
        return None
    lab = _lab(pixels)
    cells, where, counts = np.unique(np.rint(lab / _CELL), axis=0, return_inverse=True, return_counts=True)
    near = (np.abs(cells[:, None] - cells[None]) <= 1).all(axis=2)  # a colour on the border of two cells is one
    first = int(np.argmax(near @ counts))
    middle = lab[near[first][where.ravel()]].mean(axis=0)
    close = np.linalg.norm(lab - middle, axis=1) <= _NEAR
    mean: NDArray[np.float64] = (pixels[close] if close.any() else pixels).mean(axis=0, dtype=np.float64)
    return mean


def _unlike(pixels: NDArray[np.uint8], colour: NDArray[np.float64], least: float = _SKIN) -> NDArray[np.uint8]:
    return pixels[np.linalg.norm(_lab(pixels) - _lab(colour[None]), axis=1) > least]


def _inner(box: Box) -> Box:
    """The middle of the box of an eye: strands of hair and skin lie around it."""
    return Box(box.x + 0.15 * box.width, box.y + 0.1 * box.height, 0.7 * box.width, 0.85 * box.height)


def _iris(
    pixels: NDArray[np.uint8], skin: NDArray[np.float64], hair: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    least = _OPEN * len(pixels)
    rest = _unlike(pixels, skin, _BLUSH)
    lab = _lab(rest)
    white = (lab[:, 0] > _WHITE) | ((np.hypot(lab[:, 1], lab[:, 2]) < _PALE) & (lab[:, 0] > _WHITE - 25))
    rest = rest[(lab[:, 0] > _LASH) & ~white]
    if hair is not None and len(apart := _unlike(rest, hair)) >= least:
        rest = apart
    return _main(rest) if len(rest) >= least else None


def _hex(colour: NDArray[np.float64]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*np.clip(np.rint(colour), 0, 255).astype(int))
