"""Whether who wears an article turns the back to the camera: how much of the head is hair, and nothing but hair.

A face that no detector finds (turned, small, behind sunglasses) is skin all the same, of the colour of the person's
arms and legs; the back of a head is of one other colour. The head is looked for above what is worn.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.faces import skin
from curate.pipeline.imaging.codec import RGB

Mask = NDArray[np.bool_]  # [H, W]

_LEAST_SKIN = 0.004  # share of the picture that must be bare for the person's own skin to be known
_CHROMA = 14.0  # of CIELAB's a* and b*: farther from the body's, it is no skin of the same person
_LIGHTNESS = 0.5  # of the body's: what is darker than that is no skin of the same person
_ONE_COLOUR = 14.0  # of CIELAB with half the weight on lightness: hair has lights and shadows
_TALL = 0.45  # widths of what is worn: less room above it holds no head
_HEAD = (1.3, 0.3)  # widths of what is worn above its upper edge: crown and chin, where the ground is not plain


def hair(rgb: RGB, worn: Mask, figure: Mask) -> float | None:
    """Share of the head of who wears something that has the one colour of hair, 0..1: high in a back view.

    `rgb` is uint8 [H, W, 3]; `worn` says where the article is on the person, `figure` where the ground is not. None
    where the picture shows no head, or the person no skin to compare with.
    """
    place = extent(worn)
    if place is None:
        return None
    rows, columns = place
    head = _head(figure, rows.start, (columns.start + columns.stop) / 2, columns.stop - columns.start)
    bare = skin.mask(rgb) & ~worn & figure
    bare[: rows.start] = False  # of the body alone
    if head is None or bare.mean() < _LEAST_SKIN:
        return None
    lab = np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    own = np.median(lab[bare], axis=0)
    part = lab[head][figure[head]]
    same = (np.linalg.norm(part[:, 1:] - own[1:], axis=-1) < _CHROMA) & (part[:, 0] > _LIGHTNESS * own[0])
    if same.all():
        return 0.0
    part[:, 0] /= 2
    away = np.linalg.norm(part - np.median(part[~same], axis=0), axis=-1)
    return float((~same & (away < _ONE_COLOUR)).mean())


def extent(worn: Mask) -> tuple[slice, slice] | None:
    """Rows and columns of the largest connected part of `worn`, without its outermost hundredths; None for none."""
    rows, columns = np.nonzero(_largest(worn))
    if not len(rows):
        return None
    top, bottom = np.percentile(rows, (2, 98)).astype(int)
    left, right = np.percentile(columns, (2, 98)).astype(int)
    return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)


def _largest(mask: Mask) -> Mask:
    """The largest connected part of `mask`, small gaps closed."""
    kernel = np.ones((3, 3), np.uint8)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count < 2:
        return np.zeros_like(mask)
    found: Mask = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return found


def _head(figure: Mask, top: int, middle: float, width: float) -> tuple[slice, slice] | None:
    """Rows and columns of the head above row `top`, where something `width` wide begins; None: there is none."""
    reach = 0.5 * width
    above = figure[:top, max(0, round(middle - reach)) : round(middle + reach) + 1]
    crown = next(iter(np.nonzero(above.mean(axis=1) > 0.15)[0].tolist()), top)
    if crown > 0:  # on a plain ground it is seen where the head begins
        chin = round(top - 0.15 * (top - crown))
    else:  # a busy ground, or a picture that ends at the chin
        crown, chin, reach = round(top - _HEAD[0] * width), round(top - _HEAD[1] * width), 0.25 * width
    if crown < 0 or chin - crown < max(3.0, _TALL * width):
        return None
    return slice(crown, chin), slice(max(0, round(middle - reach)), max(1, round(middle + reach) + 1))
