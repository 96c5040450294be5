"""What networks painted, laid over the photo that they saw a part of, at the photo's own size.

    photo = photo (1 - mask) + paint mask

Paint and mask are mapped back through the affine map that the part was cut by, and fade out towards its border wherever
the photo goes on beyond it, so that no edge shows. Everything outside keeps its very values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.pipeline.imaging import geometry, srgb
from curate.pipeline.imaging.codec import RGB
from curate.pipeline.imaging.geometry import Affine
from curate.pipeline.imaging.photo import Photo
from curate.pipeline.imaging.values import rounded

Floats = NDArray[np.float32]

EDGE = 0.06  # sides of the part, over which what has a mask fades out
AREA = 0.2  # the same for what has none, and is seen to its end
BEYOND = 0.01  # sides of the part: a photo that ends so near to its border goes on no further
FINEST = 2048  # px: the part is enlarged to so many a side at most, before it is turned into its place
BAND = 1 << 21  # px of the photo that are painted at once
SOFT = 0.75  # px of the networks: standard deviation by which an enlarged mask is smoothed
BLEED = 0.0005  # of a mask: what has less takes its paint from its neighbours, where networks paint anything

_SRGB_ALPHA = 255.0


class Layer(NamedTuple):
    """Paint for a part of a photo, as networks gave it."""

    paint: Floats  # [h, w, 3], 0..255, sRGB
    mask: Floats  # [h, w], 0..1: 1 is painted, 0 is the photo
    affine: Affine  # [2, 3], index coordinates of the photo -> of the paint
    fade: float = EDGE  # of the sides

    def weakened(self, strength: float) -> Layer:
        """The same, `strength` as strong: 0 leaves the photo as it is."""
        return self._replace(mask=self.mask * np.float32(strength))


class _Piece(NamedTuple):
    """Paint at the photo's size, for a rectangle of it."""

    place: tuple[slice, slice]  # rows, columns
    paint: Floats  # [h, w, 3], 0..255
    mask: Floats  # [h, w], 0..1


def laid_over(photo: Photo, layer: Layer) -> Photo:
    """`photo` with `layer` on it. Where the mask is 0, and outside of it, its values stay bit for bit."""
    shown = photo.shown.copy()
    own = shown if photo.is_plain else photo.own.copy()
    alpha = None if photo.alpha is None else photo.alpha.copy()
    for piece in _pieces(layer, *photo.size):
        shown[piece.place] = _mixed(photo.shown[piece.place], piece.paint, piece.mask)
        if own is not shown:
            paint = piece.paint
            if photo.profile is not None:
                paint = srgb.to_profile(rounded(paint), photo.profile).astype(np.float32)
            under = None if photo.alpha is None else photo.alpha[piece.place]
            own[piece.place] = _mixed(photo.own[piece.place], paint, _share(piece.mask, under))
            if alpha is not None and under is not None:
                alpha[piece.place] = rounded(under + (_SRGB_ALPHA - under) * piece.mask)
    return Photo(shown, own, alpha, photo.profile, photo.exif)


def cut_out(photo: Photo, layers: list[Layer]) -> Photo:
    """The paint of `layers` alone, one over the other, with their masks as alpha, of the size of `photo`."""
    width, height = photo.size
    white, nothing = np.full((height, width, 3), 255, np.uint8), np.zeros((height, width, 3), np.uint8)
    made = Photo(white, nothing, np.zeros((height, width), np.uint8), None, photo.exif)
    for layer in layers:
        made = laid_over(made, layer)
    return made


def grown(layer: Layer) -> Layer:
    """`layer` with its mask one px of the networks larger all round.

    What they paint over ends within a px of theirs, which is several of the photo: of hair that is taken away a line
    would stay at its edge. What is added takes its paint from its neighbours.
    """
    mask = np.asarray(cv2.dilate(layer.mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))), np.float32)
    spread, own = _spread(layer.paint, layer.mask[..., None])[0], layer.mask / np.maximum(mask, 1e-6)
    paint = np.asarray(spread + (layer.paint - spread) * own[..., None], np.float32)
    return layer._replace(paint=paint, mask=mask)


def surroundings(layer: Layer, width: int, height: int) -> Floats:
    """How much each px of `layer` lies where it fades into a photo of `width` x `height`: [h, w], 0..1."""
    rows, columns = layer.mask.shape
    fades = _fades(layer, (columns, rows), width, height)
    window = _window(np.eye(2, 3), (columns, rows), fades, (0, columns), (0, rows))
    return 4 * window * (1 - window)


def _mixed(under: RGB, paint: Floats, share: Floats) -> RGB:
    return rounded(under + (paint - under) * share[..., None])


def _share(mask: Floats, alpha: NDArray[np.uint8] | None) -> Floats:
    """How much of the colour is paint: more where what lies under it is transparent."""
    if alpha is None:
        return mask
    covered = alpha.astype(np.float32) / _SRGB_ALPHA * (1 - mask)
    share: Floats = np.divide(mask, mask + covered, out=np.zeros_like(mask), where=mask > 0)
    return share


def _pieces(layer: Layer, width: int, height: int) -> Iterator[_Piece]:
    """`layer` at the size of a photo of `width` x `height`, in bands of rows."""
    size = layer.mask.shape[1], layer.mask.shape[0]
    corners = _outline(*size)
    quad = geometry.apply(geometry.invert(layer.affine), corners)
    (left, top), (right, bottom) = np.floor(quad.min(0)).astype(int), np.ceil(quad.max(0)).astype(int) + 1
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        return
    fades = _fades(layer, size, width, height)
    fine, affine = _enlarged(layer)
    step = max(1, BAND // (right - left))
    for first in range(top, bottom, step):
        last = min(first + step, bottom)
        moved = affine.copy()
        moved[:, 2] += affine[:, :2] @ (left, first)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        placed = cv2.warpAffine(fine, moved, (right - left, last - first), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        window = _window(layer.affine, size, fades, (left, right), (first, last))
        mask = np.clip(placed[..., 3], 0, 1) * window
        yield _Piece((slice(first, last), slice(left, right)), np.clip(placed[..., :3], 0, 255), mask)


def _enlarged(layer: Layer) -> tuple[Floats, Affine]:
    """Paint and mask [h, w, 4] with about as many px as the photo has there, and the map of the photo's px to them.

    OpenCV turns by 32nds of a px of what it turns, which shows where such a px is large.
    """
    finer = float(1 / np.sqrt(abs(np.linalg.det(layer.affine[:, :2]))))  # px of the photo per px of the networks
    height, width = layer.mask.shape
    mask = layer.mask[..., None]
    paint: Floats = layer.paint
    spread, near = _spread(paint, mask)
    bleed = BLEED * (1 - mask) * (near > 1e-4)
    paint = np.asarray((paint * mask + bleed * spread) / np.maximum(mask + bleed, 1e-6), np.float32)
    if finer > 1:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), SOFT * min(1.0, finer - 1) + 1e-3), np.float32)
    layers: Floats = np.dstack([paint, mask]).astype(np.float32)
    scale = min(finer, FINEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size != (width, height):
        how = cv2.INTER_CUBIC if finer > 1 else cv2.INTER_AREA
        layers = np.asarray(cv2.resize(layers, size, interpolation=how), np.float32)
    by = np.array([size[0] / width, size[1] / height])
    affine = layer.affine * by[:, None]
    affine[:, 2] += (by - 1) / 2
    return layers, affine


def _spread(paint: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """The paint of each px's neighbours, [h, w, 3], as their mask [h, w, 1] shows it, and how much they show."""
    near: Floats = cv2.GaussianBlur(np.dstack([paint * mask, mask]), (0, 0), 1.0).astype(np.float32)
    spread = np.asarray(near[..., :3] / np.maximum(near[..., 3:], 1e-6), np.float32)
    return spread, near[..., 3:]


def _outline(width: int, height: int) -> geometry.Points:
    """The corners of a picture, index coordinates, [4, 2]."""
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [-0.5, bottom], [right, bottom], [right, -0.5]])


def _fades(layer: Layer, size: tuple[int, int], width: int, height: int) -> list[float]:
    """Over how many px of the paint it fades out at its left, upper, right and lower edge: 0 where the photo ends."""
    photo = geometry.apply(layer.affine, _outline(width, height))
    past = [*(-0.5 - photo.min(0)), *(photo.max(0) - np.array(size) + 0.5)]
    sides = [*size, *size]
    return [layer.fade * side if far > BEYOND * side else 0.0 for far, side in zip(past, sides, strict=True)]


def _window(
    affine: Affine, size: tuple[int, int], fades: list[float], columns: tuple[int, int], rows: tuple[int, int]
) -> Floats:
    """How much of the paint is shown at each px of a rectangle of the photo, 0..1: nothing outside of its edges."""
    x, y = np.arange(*columns, dtype=np.float64), np.arange(*rows, dtype=np.float64)[:, None]
    near = np.zeros((len(y), len(x)), np.float32)  # 1 at an edge, squared, so that corners are round
    within = np.ones(near.shape, bool)
    for axis in range(2):
        place = (affine[axis, 0] * x + affine[axis, 1] * y + affine[axis, 2]).astype(np.float32)
        for inside, fade in ((place + 0.5, fades[axis]), (size[axis] - 0.5 - place, fades[axis + 2])):
            within &= inside >= 0
            if fade:
                near += np.clip(1 - inside / fade, 0, 1) ** 2
    share = 1 - np.sqrt(np.minimum(near, 1))
    window: Floats = share * share * (3 - 2 * share) * within
    return window
