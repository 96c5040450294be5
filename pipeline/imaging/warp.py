"""Cutting an oriented square out of a photo: antialiased at any scale, with a soft border where the photo ends.

The border is FFHQ's: the photo is mirrored past its edge, blurred with a sigma of 0.02 sides and faded to its median
colour with the distance from the edge, so that a network sees neither hard edges nor black wedges. FFHQ does this on
the full photo; here it is done on the crop, which shows the same and costs a hundredth.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging.geometry import Affine, Points, apply, invert

Image = NDArray[np.uint8]  # [height, width, 3], RGB

_BLUR = 0.02  # sigma of the border's blur, in sides of the crop
_MARGIN = 0.08  # what the blur needs to see around the crop, in sides: four sigmas
_BLUR_SHRINK = 4  # the blur is made on a smaller picture: its sigma spans many px
_STRIP = 32  # rows of a crop that are blended at once: their numbers stay in the cache, and their memory is reused
_MEDIAN_GRID = 96  # samples along each axis that the median colour is taken from


FFHQ_CLEARANCE = 4.0  # px: FFHQ softens crops that come this near to the edge of the photo
_TOUCH = 1e-6  # px: a crop of the whole photo doesn't pass its edges


def cut(image: Image, affine: Affine, size: int, clearance: float = 0) -> Image:
    """The crop [size, size, 3] of `image` that `affine` (raw px -> crop px, [2, 3]) describes.

    It gets a soft border when it comes within `clearance` px of the edges of the photo or passes them.
    """
    border = _border(affine, size, image.shape[1], image.shape[0], clearance)
    if border is None:
        return resample(image, affine, size)
    margin = int(np.ceil(_MARGIN * size / _BLUR_SHRINK)) * _BLUR_SHRINK
    moved = affine.copy()
    moved[:, 2] += margin
    wide = resample(image, moved, size + 2 * margin)
    return _soften(wide, margin, _fade(border, affine, size), _median(image, border))


def resample(image: Image, affine: Affine, size: int) -> Image:
    """The crop, mirrored past the edges of the photo.

    A photo much larger than the crop is shrunk by a whole factor first; then the warp makes several samples per crop
    px and averages them. So every raw px counts, whatever the ratio.
    """
    ratio = 1 / np.sqrt(abs(np.linalg.det(affine[:, :2])))  # raw px per crop px
    factor = int(ratio / 2)
    if factor > 1:
        image, affine = _shrink(image, affine, size, factor)
        ratio /= factor
    samples = int(np.clip(np.ceil(ratio - 0.1), 1, 4))
    fine = affine * samples
    fine[:, 2] += (samples - 1) / 2
    warped = cv2.warpAffine(
        image, fine, (size * samples, size * samples), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(
        cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA) if samples > 1 else warped, np.uint8
    )


def _shrink(image: Image, affine: Affine, size: int, factor: int) -> tuple[Image, Affine]:
    """The part of `image` that the crop shows, 1 / factor as large, and the map from its px to crop px."""
    height, width = image.shape[:2]
    (x0, y0), (x1, y1) = _bounds(affine, size)
    # Mirrored parts are needed too: what lies past an edge shows what lies as far before it.
    reach = factor * 4 + int(max(-x0, -y0, x1 - width, y1 - height, 0))
    left, top = max(int(x0) - reach, 0), max(int(y0) - reach, 0)
    right, bottom = min(int(x1) + reach, width), min(int(y1) + reach, height)
    shape = max((right - left) // factor, 1), max((bottom - top) // factor, 1)
    part = image[top : top + shape[1] * factor, left : left + shape[0] * factor]
    small = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    scaled = affine.copy()
    scaled[:, 2] += affine[:, :2] @ (np.array([left, top]) + (factor - 1) / 2)
    scaled[:, :2] *= factor
    return small, scaled


def _bounds(affine: Affine, size: int) -> tuple[Points, Points]:
    """Lowest and highest raw x and y of the crop's quad, [2] each."""
    low, high = -0.5, size - 0.5
    corners = apply(invert(affine), np.array([[low, low], [low, high], [high, high], [high, low]]))
    return corners.min(axis=0), corners.max(axis=0)


class _Border(NamedTuple):
    """The part of the photo around the crop, and how far it is continued past each of its edges, raw px."""

    low: NDArray[np.float64]  # [2] x, y of its first px
    high: NDArray[np.float64]  # [2] one past its last px
    before: NDArray[np.float64]  # [2] padding left and above
    after: NDArray[np.float64]  # [2] padding right and below


def _border(affine: Affine, size: int, width: int, height: int, clearance: float) -> _Border | None:
    """None when the crop keeps clear of the edges of the photo by more than `clearance` px."""
    side = size / np.sqrt(abs(np.linalg.det(affine[:, :2])))
    unit = max(int(side / size / 2), 1)  # FFHQ measures in px of a photo shrunk by this factor
    extent = np.array([width, height], np.float64)
    low, high = _bounds(affine, size)
    if max((-0.5 - low).max(), (high + 0.5 - extent).max()) <= _TOUCH - clearance * unit:
        return None
    low, high = np.floor(low / unit) * unit, np.ceil(high / unit) * unit
    rim = max(round(side * 0.1 / unit), 3) * unit
    least = max(round(side * 0.3 / unit), 1) * unit
    before, after = np.maximum(rim - low, least), np.maximum(high - extent + rim, least)
    first, last = np.maximum(low - rim, 0), np.minimum(high + rim, extent)
    first, last = np.minimum(first, extent - 1), np.maximum(last, 1)  # a crop beside the photo still has a px
    return _Border(first, last, before, after)


def _fade(border: _Border, affine: Affine, size: int) -> NDArray[np.float32]:
    """How far each crop px lies in the border, [size, size]: 0 at the photo's edge, 1 at the end of the padding.

    Negative inside the photo: blurring begins at -1/3.
    """
    at = np.arange(size)
    depth = np.full((size, size), -np.inf, np.float32)
    for axis, (across, down, start) in enumerate(invert(affine)):
        for edge, reach in (
            (border.low[axis], -border.before[axis]),
            (border.high[axis] - 1, border.after[axis]),
        ):
            row = (across * at + start - edge) / reach
            column = down * at / reach
            np.maximum(depth, np.add.outer(column.astype(np.float32), row.astype(np.float32)), out=depth)
    return depth


def _median(image: Image, border: _Border) -> NDArray[np.float32]:
    """The median colour of the padded part of the photo, [3], from an even grid of samples."""
    index = []
    for axis in range(2):
        extent = max(int(border.high[axis] - border.low[axis]), 1)
        total = extent + border.before[axis] + border.after[axis]
        at = (np.arange(_MEDIAN_GRID) + 0.5) / _MEDIAN_GRID * total - border.before[axis]
        period = max(2 * (extent - 1), 1)
        folded = np.abs((np.floor(at).astype(int) + extent - 1) % period - (extent - 1))  # mirrored about its ends
        index.append(np.minimum(folded, extent - 1) + int(border.low[axis]))
    samples = image[index[1][:, None], index[0][None, :]].reshape(-1, 3)
    return np.asarray(np.median(samples, axis=0), np.float32)


def _soften(wide: Image, margin: int, fade: NDArray[np.float32], median: NDArray[np.float32]) -> Image:
    """The middle of `wide` with its border blurred and faded to `median`."""
    size = len(fade)
    small = tuple(-(-side // _BLUR_SHRINK) for side in wide.shape[1::-1])
    blurred = cv2.resize(wide, small, interpolation=cv2.INTER_AREA)
    sigma = _BLUR * size / _BLUR_SHRINK
    blurred = cv2.GaussianBlur(blurred.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    blurred = cv2.resize(blurred, wide.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    crop = np.empty((size, size, 3), np.uint8)
    for top in range(0, size, _STRIP):
        rows = slice(top, min(top + _STRIP, size))
        inner = slice(margin + rows.start, margin + rows.stop), slice(margin, margin + size)
        strip = wide[inner].astype(np.float32)
        strip += (blurred[inner] - strip) * _shares(3 * fade[rows] + 1)
        strip += (median - strip) * _shares(fade[rows])
        crop[rows] = np.clip(np.rint(strip, out=strip), 0, 255, out=strip)
    return crop


def _shares(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` [height, width] between 0 and 1, once for each channel: numpy is slow at repeating them itself."""
    return np.asarray(cv2.cvtColor(np.clip(values, 0, 1), cv2.COLOR_GRAY2RGB), np.float32)


def thumbnail(rgb: Image, side: int) -> Image:
    """`rgb` shrunk (never enlarged) so that its longer side is at most `side` px."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
